"""The index's derived files: saved so that a start maps them instead of replaying the whole log.

FOLDER/index/manifest.json names everything and the log position it stands for; it is replaced last, by
rename, so that a reader finds either the old or the new state. Records and vectors only grow at their
ends; what stands behind the manifest's count is overwritten by the next save. A missing or damaged file
costs a rebuild from the catalogue, nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.describe.records import KEYPOINTS, RECORD_BYTES
from engine.errors import StorageFull
from engine.index.embedded import EmbeddedIndex
from engine.index.segments import IndexSegment, Shard
from engine.index.slots import SlotTable
from engine.shortlist import global_index, votes
from engine.shortlist.votes import VoteSettings
from engine.values import Array

_FORMAT = 1
_log = logging.getLogger(__name__)
_COLUMNS = ("picture_ids", "channels", "keypoints", "visible", "alive")


@dataclass(frozen=True)
class _State:
    """What a save writes, taken at one moment; all of it immutable or copied."""

    seq: int
    count: int
    base: int
    """Slots that an earlier save has written already."""
    later: Array
    later_vectors: Array
    """What is to be written behind them."""
    columns: dict[str, Array]
    shards: dict[int, tuple[tuple[IndexSegment, ...], list[int]]]


def save(index: EmbeddedIndex, folder: Path) -> None:
    """Writes the state of `index`, while searches and additions go on; one save at a time (the holder's).
    Raises StorageFull; the old state stays valid."""
    place = folder / "index"
    place.mkdir(exist_ok=True)
    index.wait_for_builds()
    state = _take(index)
    try:
        manifest = _write(index, state, place)
        temporary = place / "manifest.json.part"
        with temporary.open("w") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place / "manifest.json")
        _sync_folder(place)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull(str(folder)) from error
        raise
    records, vectors = _map(place, state.count, index.table.dimension)
    with index.lock:
        index.table.rebase(records, vectors)
    _drop_unnamed(place, manifest)


def _take(index: EmbeddedIndex) -> _State:
    with index.lock:
        table = index.table
        base, later = table.arrays
        return _State(
            index.seq,
            table.count,
            len(base),
            later[: table.unsaved],
            table.vector_arrays[1][: table.unsaved],
            {name: getattr(table, name)[: table.count].copy() for name in _COLUMNS},
            {number: (shard.segments, list(shard.tail)) for number, shard in index.shards.items()},
        )


def _write(index: EmbeddedIndex, state: _State, place: Path) -> dict[str, Any]:
    dimension = index.table.dimension
    _extend(place / "records.bin", state.base * RECORD_BYTES, state.later)
    _extend(place / "vectors.bin", state.base * dimension, state.later_vectors)
    columns = f"slots-{uuid.uuid4().hex[:12]}.npz"
    with (place / columns).open("wb") as file:
        np.savez(file, allow_pickle=False, **state.columns)
        file.flush()
        os.fsync(file.fileno())
    shards: dict[str, Any] = {}
    for number, (segments, tail) in state.shards.items():
        entries = []
        for segment in segments:
            if segment.file_name is None:
                name = f"segment-{uuid.uuid4().hex[:12]}"
                votes.save_segment(segment.votes, place / name)
                global_index.save_index(segment.vectors, place / name)
                segment.file_name = name
            entries.append(
                {
                    "name": segment.file_name,
                    "first": segment.votes.first,
                    "last": segment.votes.last,
                    "pictures": segment.votes.pictures,
                    "preset": vars(segment.votes.settings),
                }
            )
        shards[str(number)] = {"segments": entries, "tail": tail}
    return {
        "format": _FORMAT,
        "seq": state.seq,
        "count": state.count,
        "dimension": dimension,
        "columns": columns,
        "shards": shards,
        "fingerprint": index.catalogue.read_meta("fingerprint"),
    }


def _extend(path: Path, offset: int, rows: Array) -> None:
    with path.open("r+b" if path.exists() else "w+b") as file:
        # Shortened last: another process may have the rows that are written again mapped at this moment.
        file.seek(offset)
        file.write(np.ascontiguousarray(rows).data if len(rows) else b"")
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _drop_unnamed(place: Path, manifest: dict[str, Any]) -> None:
    """Files of earlier states; a reader that maps one keeps it until it closes."""
    named = {s["name"] for shard in manifest["shards"].values() for s in shard["segments"]}
    for path in place.iterdir():
        stale_segment = path.name.startswith("segment-") and "-".join(path.name.split("-")[:2]) not in named
        if stale_segment or (path.name.startswith("slots-") and path.name != manifest["columns"]):
            path.unlink()


def load(index: EmbeddedIndex, folder: Path) -> None:
    """Maps the saved state into a new index, if there is one that fits; else leaves it empty, to be built
    from the log."""
    place = folder / "index"
    try:
        manifest = json.loads((place / "manifest.json").read_text())
        fits = manifest["format"] == _FORMAT and manifest["dimension"] == index.table.dimension
        if not fits or manifest["fingerprint"] != index.catalogue.read_meta("fingerprint"):
            return
        if manifest["seq"] > index.catalogue.last_seq():
            return  # an older catalogue was restored beside newer indexes
        table = _load_table(place, manifest, index.table.dimension)
        shards = {int(number): _load_shard(place, shard) for number, shard in manifest["shards"].items()}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("the saved indexes cannot be used (%s); they are built anew", error)
        return
    index.table, index.shards, index.seq = table, shards, manifest["seq"]
    index.recount()


def _load_table(place: Path, manifest: dict[str, Any], dimension: int) -> SlotTable:
    count = manifest["count"]
    records, vectors = _map(place, count, dimension)
    table = SlotTable(dimension, count, records, vectors)
    with (place / manifest["columns"]).open("rb") as file, np.load(file) as columns:
        for name in _COLUMNS:
            if len(columns[name]) != count:
                raise ValueError(f"{name} has {len(columns[name])} rows, not {count}")
            setattr(table, name, columns[name])
    return table


def _map(place: Path, count: int, dimension: int) -> tuple[Array, Array]:
    """Records and vectors of the first `count` slots. Copy-on-write maps are writable to NumPy: one compiled
    kernel serves mapped and grown arrays alike."""
    if not count:
        return np.zeros((0, KEYPOINTS, 2), np.uint64), np.zeros((0, dimension), np.int8)
    records = np.memmap(place / "records.bin", np.uint64, "c", shape=(count, KEYPOINTS, 2))
    vectors = np.memmap(place / "vectors.bin", np.int8, "c", shape=(count, dimension))
    return records.view(np.ndarray), vectors.view(np.ndarray)


def _load_shard(place: Path, content: dict[str, Any]) -> Shard:
    segments = []
    for entry in content["segments"]:
        name, preset = entry["name"], VoteSettings(**entry["preset"])
        loaded = votes.load_segment(place / name, preset, entry["first"], entry["last"], entry["pictures"])
        segments.append(IndexSegment(loaded, global_index.load_index(place / name), name))
    return Shard(tuple(segments), list(content["tail"]))


def saved_position(folder: Path) -> int:
    """The log position that the saved files stand for; 0 where there are none that can be read."""
    try:
        return int(json.loads((folder / "index" / "manifest.json").read_text())["seq"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def forget_if_mostly_removed(folder: Path) -> None:
    """Slots are never reused: where more than half of many are of removed pictures, the files are dropped, and
    the opening builds them anew without these. The holder's to do."""
    try:
        manifest = json.loads((folder / "index" / "manifest.json").read_text())
        with np.load(folder / "index" / manifest["columns"]) as columns:
            alive = columns["alive"]
    except (OSError, ValueError, KeyError):
        return  # nothing saved, or damaged: `load` says so
    if len(alive) > 1000 and alive.mean() < 0.5:
        forget(folder)


def bytes_in(folder: Path) -> int:
    """Bytes of all files below the folder; one that a save replaces meanwhile may be missed."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def forget(folder: Path) -> None:
    """Removes the derived files; the next opening builds them from the catalogue."""
    shutil.rmtree(folder / "index", ignore_errors=True)
