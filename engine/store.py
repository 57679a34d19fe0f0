"""The gallery's derived files: saved so that a start maps them instead of replaying the whole log.

FOLDER/index/manifest.json names everything and the log position it stands for; it is replaced last, by
rename, so that a reader finds either the old or the new state. Records and vectors only grow at their
ends; what stands behind the manifest's count is overwritten by the next save. A missing or damaged file
costs a rebuild from the catalogue, nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from engine import global_index, votes
from engine.errors import StorageFull
from engine.gallery import Gallery, IndexSegment, Shard, SlotTable
from engine.records import KEYPOINTS
from engine.values import Array
from engine.votes import VoteSettings

_FORMAT = 1
_log = logging.getLogger(__name__)
_COLUMNS = ("picture_ids", "channels", "keypoints", "visible", "alive")


def save(gallery: Gallery, folder: Path) -> None:
    """Writes the state of `gallery`. Raises StorageFull; the old state stays valid."""
    place = folder / "index"
    place.mkdir(exist_ok=True)
    gallery.wait_for_builds()
    with gallery._lock:
        try:
            manifest = _write(gallery, place)
            temporary = place / "manifest.json.part"
            with temporary.open("w") as file:
                json.dump(manifest, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place / "manifest.json")
            _sync_folder(place)
        except OSError as error:
            if error.errno == 28:
                raise StorageFull(str(folder)) from error
            raise
        _drop_unnamed(place, manifest)


def _write(gallery: Gallery, place: Path) -> dict[str, Any]:
    table = gallery.table
    base = len(table.base)
    grown = table.count - base
    assert table.base_vectors is not None
    _extend(place / "records.bin", base * KEYPOINTS * 16, table.grown[:grown])
    _extend(place / "vectors.bin", base * table.dimension, table.grown_vectors[:grown])
    columns = f"slots-{uuid.uuid4().hex[:12]}.npz"
    with (place / columns).open("wb") as file:
        np.savez(file, **{name: getattr(table, name)[: table.count] for name in _COLUMNS})
        file.flush()
        os.fsync(file.fileno())
    shards: dict[str, Any] = {}
    for number, shard in gallery.shards.items():
        segments = []
        for segment in shard.segments:
            name = gallery.saved_as.get(id(segment))
            if name is None:
                name = f"segment-{uuid.uuid4().hex[:12]}"
                votes.save_segment(segment.votes, place / name)
                global_index.save_index(segment.vectors, place / name)
                gallery.saved_as[id(segment)] = name
            preset = segment.votes.settings
            segments.append(
                {
                    "name": name,
                    "first": segment.votes.first,
                    "last": segment.votes.last,
                    "pictures": segment.votes.pictures,
                    "preset": [preset.keypoints, preset.half_bits, preset.words, preset.hamming],
                }
            )
        shards[str(number)] = {"segments": segments, "tail": shard.tail}
    return {
        "format": _FORMAT,
        "seq": gallery.seq,
        "count": table.count,
        "dimension": table.dimension,
        "columns": columns,
        "shards": shards,
        "fingerprint": gallery.catalogue.read_meta("fingerprint"),
    }


def _extend(path: Path, offset: int, rows: Array) -> None:
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(np.ascontiguousarray(rows).data if len(rows) else b"")
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


def load(gallery: Gallery, folder: Path) -> None:
    """Maps the saved state into a new gallery, if there is one that fits; else leaves it empty, to be built
    from the log."""
    place = folder / "index"
    try:
        manifest = json.loads((place / "manifest.json").read_text())
        fits = manifest["format"] == _FORMAT and manifest["dimension"] == gallery.table.dimension
        if not fits or manifest["fingerprint"] != gallery.catalogue.read_meta("fingerprint"):
            return
        if manifest["seq"] > gallery.catalogue.last_seq():
            return  # an older catalogue was restored beside newer indexes
        table = _load_table(place, manifest, gallery.table.dimension)
        shards = {int(number): _load_shard(place, shard) for number, shard in manifest["shards"].items()}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        _log.warning("the saved indexes cannot be used (%s); they are built anew", error)
        return
    gallery.table, gallery.shards, gallery.seq = table, {}, manifest["seq"]
    for number, (shard, names) in shards.items():
        gallery.shards[number] = shard
        gallery.saved_as.update({id(s): name for s, name in zip(shard.segments, names, strict=True)})
    gallery.recount()


def _load_table(place: Path, manifest: dict[str, Any], dimension: int) -> SlotTable:
    count = manifest["count"]
    # Copy-on-write maps are writable to NumPy: one compiled kernel serves mapped and grown arrays alike.
    records, vectors = np.zeros((0, KEYPOINTS, 2), np.uint64), np.zeros((0, dimension), np.int8)
    if count:
        records = np.memmap(place / "records.bin", np.uint64, "c", shape=(count, KEYPOINTS, 2)).view(np.ndarray)
        vectors = np.memmap(place / "vectors.bin", np.int8, "c", shape=(count, dimension)).view(np.ndarray)
    table = SlotTable(dimension, count, records, vectors)
    with np.load(place / manifest["columns"]) as columns:
        for name in _COLUMNS:
            if len(columns[name]) != count:
                raise ValueError(f"{name} has {len(columns[name])} rows, not {count}")
            setattr(table, name, columns[name])
    return table


def _load_shard(place: Path, content: dict[str, Any]) -> tuple[Shard, list[str]]:
    segments, names = [], []
    for entry in content["segments"]:
        keypoints, half_bits, words, hamming = entry["preset"]
        preset = VoteSettings(keypoints=keypoints, half_bits=half_bits, words=words, hamming=hamming)
        loaded = votes.load_segment(place / entry["name"], preset, entry["first"], entry["last"], entry["pictures"])
        segments.append(IndexSegment(loaded, global_index.load_index(place / entry["name"])))
        names.append(entry["name"])
    return Shard(tuple(segments), list(content["tail"])), names


def forget(folder: Path) -> None:
    """Removes the derived files; the next opening builds them from the catalogue."""
    shutil.rmtree(folder / "index", ignore_errors=True)
