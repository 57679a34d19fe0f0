"""Two checkouts of Obverse in turns on the same photos, one recognition at a time: how much quicker is the second?

    python -m benchmarks.speed.checkouts BEFORE AFTER --pictures DIR... --photos DIR... --out speed.json \\
        [--threads 1 2] [--turns 4] [--most 100]

Each turn is a process of its own; each checkout fills a gallery of its own with all `--pictures`. A photo that both
checkouts answer with the same picture in every turn is a hit, one that neither ever answers a miss; the others are
counted and left out of the ratios. The JSON names the processor and its flags, since the network's share of the time
depends on them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.image_files import list_pictures

Turn = list[dict[str, Any]]
"""What `one_checkout` says of each photo, in one turn."""
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Flags of a processor that decide how quick an int8 network is."""


def compare(before: Path, after: Path, pictures: Sequence[Path], photos: Sequence[Path], *, work: Path, threads: int,
            turns: int) -> dict[str, Any]:  # fmt: skip
    """Figures of one number of threads; work: folder for both galleries, which are filled where they are not."""
    job = {"pictures": [str(p) for p in pictures], "photos": [str(p) for p in photos], "threads": threads}
    sides = {"before": before, "after": after}
    results: dict[str, list[Turn]] = {name: [] for name in sides}
    for name, checkout in sides.items():
        _run(checkout, {**job, "gallery": str(work / name), "timed": False})
    for turn in range(turns):
        for name in list(sides) if turn % 2 == 0 else list(sides)[::-1]:  # neither is always first
            results[name].append(_run(sides[name], {**job, "gallery": str(work / name), "timed": True})["photos"])
    return {"threads": threads, "turns": turns, **summary(results["before"], results["after"])}


def _run(checkout: Path, job: dict[str, Any]) -> Any:
    script = Path(__file__).with_name("one_checkout.py")
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | single
    command = [sys.executable, "-P", str(script), str(checkout.resolve())]
    done = subprocess.run(
        command, input=json.dumps(job), text=True, stdout=subprocess.PIPE, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"{checkout} failed; what it said stands above")
    return json.loads(done.stdout)


def summary(before: list[Turn], after: list[Turn]) -> dict[str, Any]:
    """Figures of "hits" and "misses", None without any; "changed": photos that the checkouts do not answer alike."""
    answers = [{row[n]["answer"] for row in (*before, *after)} for n in range(len(before[0]))]
    hits = [n for n, one in enumerate(answers) if len(one) == 1 and one != {None}]
    misses = [n for n, one in enumerate(answers) if one == {None}]
    changed = len(answers) - len(hits) - len(misses)
    return {"hits": _kind(before, after, hits), "misses": _kind(before, after, misses), "changed": changed}


def _kind(before: list[Turn], after: list[Turn], numbers: list[int]) -> dict[str, Any] | None:
    """Figures of some of the photos: milliseconds a photo (the median turn's mean and the photos' median), and the
    ratio of after to before in each pair of turns: median, least and largest."""
    if not numbers:
        return None
    found: dict[str, Any] = {"photos": len(numbers)}
    for clock in ("processor", "wall"):
        sums = [[sum(turn[n][clock] for n in numbers) for turn in side] for side in (before, after)]
        ratios = [b / a for a, b in zip(*sums, strict=True)]
        found[clock] = {
            "before_ms": round(statistics.median(sums[0]) / len(numbers), 2),
            "after_ms": round(statistics.median(sums[1]) / len(numbers), 2),
            "after_p50_ms": round(statistics.median(turn[n][clock] for turn in after for n in numbers), 2),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_least": round(min(ratios), 3),
            "ratio_largest": round(max(ratios), 3),
        }
    return found


def machine() -> dict[str, Any]:
    """The processor's name, those of its flags that matter, and how many cores are seen."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    name = facts.get("model name") or platform.processor() or platform.machine()
    return {"processor": name, "flags": [f for f in _FLAGS if f in flags], "cores": os.cpu_count()}


def evenly(files: Sequence[Path], most: int) -> list[Path]:
    """At most so many of the files, evenly over their order."""
    return [files[n * len(files) // most] for n in range(most)] if len(files) > most else list(files)


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description="Two checkouts in turns on the same photos")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, help="folders of the gallery's pictures")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders of photos, hits and misses")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="cores that one recognition may use")
    parser.add_argument("--turns", type=int, default=4, help="turns of each checkout")
    parser.add_argument("--most", type=int, default=100, help="photos of each folder at most")
    parser.add_argument("--work", type=Path, help="keep the galleries here (default: temporary)")
    parser.add_argument("--out", type=Path, help="file for the JSON; without it, standard output")
    chosen = parser.parse_args()
    pictures = [file for folder in chosen.pictures for file in list_pictures(folder)]
    photos = [file for folder in chosen.photos for file in evenly(list_pictures(folder), chosen.most)]
    if not pictures or not photos or min(chosen.turns, chosen.most, *chosen.threads) < 1:
        parser.error("pictures, photos, turns and threads are needed, at least one of each")
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        results = [
            compare(chosen.before, chosen.after, pictures, photos, work=work, threads=threads, turns=chosen.turns)
            for threads in chosen.threads
        ]
    commits = {"before": _commit(chosen.before), "after": _commit(chosen.after)}
    report = {"machine": machine(), "commits": commits, "pictures": len(pictures), "photos": len(photos)}
    text = json.dumps({**report, "results": results}, indent=2) + "\n"
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
