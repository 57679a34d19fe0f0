"""The index's derived files: saved so that a start maps them instead of replaying the whole log.

FOLDER/index/manifest.json names everything and the log position it stands for; it is replaced last, by
rename, so that a reader finds either the old or the new state. Records and vectors only grow at their
ends; what stands behind the manifest's count is overwritten by the next save. A file that is missing, damaged or of
another catalogue costs a rebuild from the catalogue, nothing else: see `engine.index.loading`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.describe.records import RECORD_BYTES
from engine.errors import StorageFull
from engine.index import checksums, history, manifest
from engine.index.embedded import EmbeddedIndex
from engine.index.loading import COLUMNS, load, map_rows
from engine.index.segments import IndexSegment
from engine.index.slots import SlotTable
from engine.shortlist import global_index, votes
from engine.values import Array

__all__ = ["bytes_in", "forget", "forget_if_mostly_removed", "load", "save", "saved_position"]


@dataclass(frozen=True)
class _State:
    """What a save writes, taken at one moment; all of it immutable or copied."""

    table: SlotTable
    seq: int
    count: int
    base: int
    """Slots that an earlier save has written already."""
    sums: dict[str, list[int]] | None
    """Of the blocks of those; None where they are not known."""
    later: Array
    later_vectors: Array
    """What is to be written behind them."""
    columns: dict[str, Array]
    shards: dict[int, tuple[tuple[IndexSegment, ...], list[int]]]


def save(index: EmbeddedIndex, folder: Path) -> None:
    """Writes the state of `index`, while searches and additions go on; one save at a time (the holder's).
    Raises StorageFull; the old state stays valid."""
    with index.renewal.saving:
        _save(index, folder)


def _save(index: EmbeddedIndex, folder: Path) -> None:
    place = folder / "index"
    place.mkdir(exist_ok=True)
    index.wait_for_builds()
    state = _take(index)
    try:
        content, sums = _write(index, state, place)
        manifest.write(place, content)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull(str(folder)) from error
        raise
    records, vectors = map_rows(place, state.count, state.table.dimension)
    with index.lock:
        state.table.rebase(records, vectors)
        state.table.sums = sums
    _drop_unnamed(place, content)


def _take(index: EmbeddedIndex) -> _State:
    with index.lock:
        table = index.table
        base, later = table.arrays
        return _State(
            table,
            index.seq,
            table.count,
            len(base),
            table.sums,
            later[: table.unsaved],
            table.vector_arrays[1][: table.unsaved],
            {name: getattr(table, name)[: table.count].copy() for name in COLUMNS},
            {number: (shard.segments, list(shard.tail)) for number, shard in index.shards.items()},
        )


def _write(index: EmbeddedIndex, state: _State, place: Path) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The manifest, and the sums of the blocks of the files that grow."""
    dimension = state.table.dimension
    sums = {
        name: _extend(place / name, state.base * row, rows, None if state.sums is None else state.sums.get(name, []))
        for name, row, rows in (
            ("records.bin", RECORD_BYTES, state.later),
            ("vectors.bin", dimension, state.later_vectors),
        )
    }
    columns = f"slots-{uuid.uuid4().hex[:12]}.npz"
    with (place / columns).open("wb") as file:
        np.savez(file, allow_pickle=False, **state.columns)
        file.flush()
        os.fsync(file.fileno())
    files = {columns: checksums.sum_file(place / columns)}
    shards: dict[str, Any] = {}
    for number, (segments, tail) in state.shards.items():
        entries = []
        for segment in segments:
            _save_segment(segment, place)
            files |= segment.sums
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
    content = {
        "seq": state.seq,
        "count": state.count,
        "dimension": dimension,
        "columns": columns,
        "shards": shards,
        "fingerprint": index.catalogue.read_meta("fingerprint"),
        "save": history.draw(index.catalogue, manifest.save_number(place)),
        "files": {name: asdict(expected) for name, expected in files.items()},
        "blocks": sums,
    }
    return content, sums


def _save_segment(segment: IndexSegment, place: Path) -> None:
    """Once; a segment that was saved without sums gets those of its files as they are."""
    if segment.file_name is None:
        name = f"segment-{uuid.uuid4().hex[:12]}"
        votes.save_segment(segment.votes, place / name)
        global_index.save_index(segment.vectors, place / name)
        segment.file_name = name
    if not segment.sums:
        paths = [place / f"{segment.file_name}-{end}" for end in (*votes.FILES, *global_index.FILES)]
        segment.sums = {path.name: checksums.sum_file(path) for path in paths}


def _extend(path: Path, offset: int, rows: Array, sums: list[int] | None) -> list[int]:
    """Writes the rows at `offset` and ends the file behind them; gives the sums of its blocks. sums: of what stands
    before, None where they are not known: they are those of the file as it is."""
    if not offset:
        # Another process may have the rows of an index that was refused mapped: they stay what they are.
        path.unlink(missing_ok=True)
    with path.open("r+b" if path.exists() else "w+b") as file:
        if sums is None:
            sums = checksums.sum_blocks(file, offset)
        # Shortened last: another process may have the rows that are written again mapped at this moment.
        file.seek(offset)
        file.write(np.ascontiguousarray(rows).data if len(rows) else b"")
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    return checksums.extend(sums, offset, rows)


def _drop_unnamed(place: Path, content: dict[str, Any]) -> None:
    """Files of earlier states; a reader that maps one keeps it until it closes."""
    for path in place.iterdir():
        if path.name.startswith(("segment-", "slots-")) and path.name not in content["files"]:
            path.unlink()


def saved_position(folder: Path) -> int:
    """The log position that the saved files stand for; 0 where there are none that can be read."""
    return manifest.position(folder / "index")


def forget_if_mostly_removed(folder: Path) -> None:
    """Slots are never reused: where more than half of many are of removed pictures, the files are dropped, and
    the opening builds them anew without these. The holder's to do."""
    try:
        text = manifest.read(folder / "index")
        if text is None:
            return
        with np.load(folder / "index" / manifest.parse(text)["columns"]) as columns:
            alive = columns["alive"]
        mostly_removed = len(alive) > 1000 and alive.mean() < 0.5
    except Exception:  # whatever damaged files make json and NumPy raise: `load` meets it again, and says so
        return
    if mostly_removed:
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
    # The manifest first: without it the rest is nothing, should this end before its end.
    with contextlib.suppress(OSError):
        (folder / "index" / manifest.NAME).unlink()
    shutil.rmtree(folder / "index", ignore_errors=True)
