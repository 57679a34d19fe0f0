"""Loading the saved index: nothing that was not written as it stands reaches a search.

Compiled code reads the arrays without looking at bounds, and FAISS believes its files. Before either sees them, sizes
and structure are checked, and the sums of all but the largest files; those are summed in the background, so that a
million pictures open as quickly as a thousand. Whatever is found wrong, the index is built anew from the catalogue.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.describe.records import KEYPOINTS, RECORD_BYTES
from engine.errors import ObverseError
from engine.index import checksums, history, manifest
from engine.index.checksums import Chunk, FileSum
from engine.index.embedded import SHARED, EmbeddedIndex
from engine.index.segments import IndexSegment, Shard
from engine.index.slots import SlotTable
from engine.shortlist import global_index, votes
from engine.shortlist.votes import VoteSettings
from engine.values import Array

COLUMNS = {
    "picture_ids": np.int64,
    "channels": np.int32,
    "keypoints": np.int32,
    "visible": np.uint8,
    "alive": np.uint8,
}
"""Of the slot table, as slots-*.npz names them."""
_AT_ONCE = 64 << 20
"""Bytes of the largest files up to which they are summed before the index is used: 30 ms. More are left to a thread."""
_LARGE = ("-slots.npy", "-signatures.npy")
"""How the names of the large ones end; with them the two files that grow. The postings' slots are kept in range by the
kernel that reads them."""
_COMPARED_AT_ONCE = 2_000
"""Newest pictures of a manifest without a save's number that are compared with the catalogue before it is used."""
_TRIES = 3
_log = logging.getLogger(__name__)


class _Refused(ObverseError):
    """The files cannot be used, for the reason that it names."""


def load(index: EmbeddedIndex, folder: Path) -> bool:
    """Maps the saved state into a new index, if there is one that fits; else leaves it empty, to be built
    from the log. Gives whether the files, if there are any, may stay: those that were refused are the holder's to
    forget."""
    place = folder / "index"
    for _ in range(_TRIES):
        text = None
        try:
            with _as_refusal():
                text = manifest.read(place)
            if text is None:
                return _without_manifest(place)
            _load(index, place, text)
        except _Refused as refusal:
            if text is not None and _now(place) != text:
                continue  # the holder saved in the same moment, and dropped what was replaced
            _log.warning("the saved indexes cannot be used (%s); they are built anew", refusal)
            return False
        return True
    return True


@contextlib.contextmanager
def _as_refusal() -> Iterator[None]:
    """Damaged files make json, zipfile, NumPy, its header's tokeniser and FAISS raise whatever they like: for each the
    answer is the same."""
    try:
        yield
    except _Refused:
        raise
    except Exception as error:
        raise _Refused(f"{type(error).__name__}: {error}") from error


def _now(place: Path) -> bytes | None:
    try:
        return manifest.read(place)
    except OSError:
        return None


def _without_manifest(place: Path) -> bool:
    """Whether there is nothing else either."""
    left = [path.name for path in place.glob("slots-*")] if place.is_dir() else []
    if left:
        _log.warning("the saved indexes have no manifest; they are built anew")
    return not left


def _load(index: EmbeddedIndex, place: Path, text: bytes) -> None:
    """Raises _Refused; what the catalogue raises is not the files' fault, and is let through."""
    dimension, catalogue = index.table.dimension, index.catalogue
    fingerprint, last_seq = catalogue.read_meta("fingerprint"), catalogue.last_seq()
    with _as_refusal():
        content = manifest.parse(text)
        seq, checked = _whole(content["seq"]), manifest.has_sums(content)
        if (content["dimension"], content["fingerprint"]) != (dimension, fingerprint):
            raise _Refused("they are of another model")
        if seq > last_seq:
            raise _Refused(
                f"they have seen {seq} changes, the catalogue has {last_seq}: it is an older copy, or its write-ahead "
                "log was lost; what was changed since is not in it"
            )
    if checked and not history.knows(catalogue, content["save"]):
        raise _Refused("they are of another catalogue, or of later changes than this copy of it has")
    with contextlib.ExitStack() as files:
        with _as_refusal():
            large = _check_sums(place, content, dimension, files) if checked else []
            table, shards = _map_all(place, content, dimension)
            _check_coverage(table, shards)
        if not checked:
            _check_pictures(index, table, seq)
        later = files.pop_all()
    index.adopt(table, shards, seq)
    if not large:
        later.close()
    else:
        index.renewal.watch(table, lambda closing: _why_damaged(large, later, closing))
    if not checked and table.count > _COMPARED_AT_ONCE:
        index.renewal.watch(table, lambda closing: _why_other(index, table, closing))


def _whole(value: object) -> int:
    """Raises ValueError where it is no number from 0."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} where a number should be")
    return value


# Sums


def _check_sums(place: Path, content: dict[str, Any], dimension: int, files: contextlib.ExitStack) -> list[Chunk]:
    """Sizes of all and sums of the small; gives what is left to be summed, of files that `files` holds open: the
    holder may replace them meanwhile. Raises _Refused, and what broken content raises."""
    chunks: dict[bool, list[Chunk]] = {False: [], True: []}
    for name, expected in content["files"].items():
        known = FileSum(_whole(expected["bytes"]), _whole(expected["crc"]))
        large = name.endswith(_LARGE) and not name.endswith("-vector-slots.npy")
        chunks[large].append(checksums.whole_file(name, _open(place, name, known.bytes, files), known))
    for name, row in (("records.bin", RECORD_BYTES), ("vectors.bin", dimension)):
        size = _whole(content["count"]) * row
        if size:
            file = _open(place, name, size, files, may_be_longer=True)
            chunks[True] += checksums.blocks(name, file, size, content["blocks"][name])
    missing = {content["columns"], *_segment_files(content)} - set(content["files"])
    if missing:
        raise _Refused(f"the manifest has no sum of {min(missing)}")
    if sum(chunk.length for chunk in chunks[True]) <= _AT_ONCE:
        chunks[False] += chunks.pop(True)
    for chunk in chunks[False]:
        if not chunk.is_whole():
            raise _Refused(f"{chunk.name} is not what was written")
    return chunks.get(True, [])


def _segment_files(content: dict[str, Any]) -> Iterator[str]:
    for shard in content["shards"].values():
        for segment in shard["segments"]:
            yield from (f"{segment['name']}-{end}" for end in (*votes.FILES, *global_index.FILES))


def _open(place: Path, name: str, size: int, files: contextlib.ExitStack, *, may_be_longer: bool = False) -> BinaryIO:
    """may_be_longer: rows of a save that did not come to its end may stand behind."""
    file = files.enter_context((place / name).open("rb"))
    actual = file.seek(0, 2)
    if actual < size or (actual > size and not may_be_longer):
        raise _Refused(f"{name} has {actual} bytes, {size} were written")
    return file


def _why_damaged(chunks: list[Chunk], files: contextlib.ExitStack, closing: threading.Event) -> str | None:
    """Sums what was not summed at once, until the index closes."""
    with files:
        for chunk in chunks:
            if closing.is_set():
                break
            if not chunk.is_whole():
                return f"{chunk.name} is not what was written"
    return None


# Structure


def _map_all(place: Path, content: dict[str, Any], dimension: int) -> tuple[SlotTable, dict[int, Shard]]:
    count = _whole(content["count"])
    records, vectors = map_rows(place, count, dimension)
    table = SlotTable(dimension, count, records, vectors)
    if manifest.has_sums(content):
        table.sums = {name: [_whole(crc) for crc in crcs] for name, crcs in content["blocks"].items()}
    with (place / content["columns"]).open("rb") as file, np.load(file) as columns:
        for name, kind in COLUMNS.items():
            column = columns[name]
            if column.shape != (count,) or column.dtype != kind:
                raise ValueError(f"{name} is {column.shape} of {column.dtype}, not {count} of {np.dtype(kind)}")
            setattr(table, name, column)
    _check_table(table)
    files = {name: FileSum(**expected) for name, expected in content.get("files", {}).items()}
    shards = {int(n): _load_shard(place, shard, count, dimension, files) for n, shard in content["shards"].items()}
    return table, shards


def _check_table(table: SlotTable) -> None:
    """Raises ValueError where a search would read past an array, or find a picture twice."""
    ids, low = table.picture_ids, {"channels": 1, "keypoints": 0, "visible": 0, "alive": 0}
    high = {"channels": np.iinfo(np.int32).max, "keypoints": KEYPOINTS, "visible": 1, "alive": 1}
    if (np.diff(ids) <= 0).any() or (ids <= 0).any():
        raise ValueError("picture numbers that do not grow")
    for name in low:
        column = getattr(table, name)
        if len(column) and not low[name] <= column.min() <= column.max() <= high[name]:
            raise ValueError(f"{name} from {column.min()} to {column.max()}")
    if (table.visible > table.alive).any():
        raise ValueError("removed pictures that are shown")


def map_rows(place: Path, count: int, dimension: int) -> tuple[Array, Array]:
    """Records and vectors of the first `count` slots. Copy-on-write maps are writable to NumPy: one compiled
    kernel serves mapped and grown arrays alike."""
    if not count:
        return np.zeros((0, KEYPOINTS, 2), np.uint64), np.zeros((0, dimension), np.int8)
    records = np.memmap(place / "records.bin", np.uint64, "c", shape=(count, KEYPOINTS, 2))
    vectors = np.memmap(place / "vectors.bin", np.int8, "c", shape=(count, dimension))
    return records.view(np.ndarray), vectors.view(np.ndarray)


def _load_shard(place: Path, content: dict[str, Any], count: int, dimension: int, files: dict[str, FileSum]) -> Shard:
    segments = []
    for entry in content["segments"]:
        name, preset = entry["name"], VoteSettings(**entry["preset"])
        loaded = votes.load_segment(place / name, preset, entry["first"], entry["last"], entry["pictures"])
        vectors = global_index.load_index(place / name)
        first, last = (vectors.places[0], vectors.places[-1] + 1) if len(vectors.places) else (0, 0)
        if (
            (first, last, len(vectors.places)) != (loaded.first, loaded.last, loaded.pictures)
            or last > count
            or vectors.index.d != dimension
        ):
            raise ValueError(f"{name} names slots that are not there")
        sums = {file: expected for file, expected in files.items() if file.startswith(f"{name}-")}
        segments.append(IndexSegment(loaded, vectors, name, sums))
    tail = [_whole(slot) for slot in content["tail"]]
    if max(tail, default=-1) >= count:
        raise ValueError("a tail names slots that are not there")
    return Shard(tuple(segments), tail)


def _check_coverage(table: SlotTable, shards: dict[int, Shard]) -> None:
    """Raises ValueError where a living picture is not exactly once in the shard that its channel is searched in."""
    if SHARED not in shards:
        raise ValueError("the shard of the small channels is missing")
    alive = table.alive == 1
    own = np.isin(table.channels, [number for number in shards if number != SHARED])
    for number, shard in shards.items():
        slots = np.concatenate([np.array(shard.tail, np.int64), *(segment.slots for segment in shard.segments)])
        times = np.bincount(slots, minlength=table.count)
        mine = alive & (~own if number == SHARED else table.channels == number)
        if (times[mine] != 1).any():
            raise ValueError(f"shard {number} lacks pictures, or has some twice")


# Files without a save's number: of before there were such numbers


def _check_pictures(index: EmbeddedIndex, table: SlotTable, seq: int) -> None:
    """Raises _Refused."""
    why = history.why_foreign(index.catalogue, table, seq)
    compared = 0
    for slots in history.newest_first(table):
        if why is not None or compared >= _COMPARED_AT_ONCE:
            break
        why = history.why_other_features(index.catalogue, table, slots)
        compared += len(slots)
    if why is not None:
        raise _Refused(why)


def _why_other(index: EmbeddedIndex, table: SlotTable, closing: threading.Event) -> str | None:
    """Compares those that were not compared at once."""
    compared = 0
    for slots in history.newest_first(table):
        compared += len(slots)
        if compared <= _COMPARED_AT_ONCE:
            continue
        if closing.is_set():
            break
        if why := history.why_other_features(index.catalogue, table, slots):
            return why
    return None
