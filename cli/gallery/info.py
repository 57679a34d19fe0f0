"""`obverse info`: counts and sizes of a gallery, and the state of its indexes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.options import AsJson, DataFolder, engine_settings, in_words, print_json


def info(data: DataFolder, as_json: AsJson = False) -> None:
    """Show counts, sizes, the model's fingerprint, and the indexes' kinds and freshness."""
    found = gallery_info(data)
    if as_json:
        print_json(found)
    else:
        _show(found)


def gallery_info(folder: Path) -> dict[str, Any]:
    """`Recognizer.info` with the kinds of the indexes, and how many changes the saved files lag behind. The
    folder is only read, so that a server may start meanwhile."""
    from engine.index.embedded import SHARED
    from engine.recognizer import Recognizer

    with Recognizer.open(folder, engine_settings(), hold=False) as recognizer:
        found = recognizer.info()
        pictures = max(found["pictures"], 1)
        names = {channel.id: channel.name for channel in recognizer.catalogue.channels()} | {SHARED: "(small channels)"}
        shards = {
            names.get(number, str(number)): {
                "segments": [_segment(segment) for segment in shard["segments"]],
                "newest_ranked_whole": shard["tail"],
            }
            for number, shard in recognizer.index.describe().items()
        }
    del found["segments"], found["tail"], found["holder"]
    return {
        **found,
        "disk_bytes_per_picture": round(found["disk_bytes"] / pictures),
        "indexes": shards,
        "changes_since_saved": found["log_position"] - found["saved_log_position"],
    }


def _segment(segment: dict[str, Any]) -> dict[str, Any]:
    preset = segment["votes"]
    votes = f"{preset['keypoints']} keypoints, {2 * preset['half_bits']}-bit words"
    return {**segment, "votes": votes}


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    table.add_row("pictures", str(found["pictures"]))
    for name, count in found["channels"].items():
        table.add_row(f"  {name}", str(count))
    table.add_row("model", found["model"])
    table.add_row("default threshold", f"{found['default_threshold']:g}")
    table.add_row("on disk", f"{in_words(found['disk_bytes'])}, {in_words(found['disk_bytes_per_picture'])} a picture")
    for part, size in found["memory_bytes"].items():
        table.add_row(f"memory: {part}", in_words(size))
    for name, shard in found["indexes"].items():
        kinds = [f"{s['pictures']} pictures (global {s['global']}; votes {s['votes']})" for s in shard["segments"]]
        kinds.append(f"{shard['newest_ranked_whole']} newest ranked whole")
        table.add_row(f"index: {name}", "\n".join(kinds))
    fresh = found["changes_since_saved"]
    table.add_row("saved indexes", "up to date" if not fresh else f"{fresh} changes behind; replayed at a start")
    Console().print(table)
