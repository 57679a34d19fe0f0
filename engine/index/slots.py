"""The slot table: one row per picture, in the order of addition. Slots do not leave this package."""

from __future__ import annotations

from dataclasses import InitVar, dataclass

import numpy as np

from engine.describe.records import KEYPOINTS, from_bytes, record_at
from engine.values import Array


@dataclass
class SlotTable:
    """One row per slot, in arrays that grow by doubling. Rows below `count` never change, except `visible`: 1
    while the picture exists and is active; `alive`: while it exists.

    base: (B, 400, 2) uint64 records mapped from disk; later: those of newer slots, in memory; likewise
    vectors (int8). A search reads both through `arrays`, after it has its slots: the pair is replaced at
    once when memory grows or a save moves the border, and what comes later holds all earlier slots."""

    dimension: int
    count: int = 0
    base: InitVar[Array | None] = None
    base_vectors: InitVar[Array | None] = None

    def __post_init__(self, base: Array | None, base_vectors: Array | None) -> None:
        if base is None:
            base = np.zeros((0, KEYPOINTS, 2), np.uint64)
        if base_vectors is None:
            base_vectors = np.zeros((0, self.dimension), np.int8)
        self.picture_ids, self.channels = np.zeros(0, np.int64), np.zeros(0, np.int32)
        self.keypoints, self.visible, self.alive = np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.uint8)
        self.sums: dict[str, list[int]] | None = None if len(base) else {}
        """Of the blocks of the files that hold the base, by name; None where they were saved without."""
        self.arrays = (base, np.zeros((0, KEYPOINTS, 2), np.uint64))
        self.vector_arrays = (base_vectors, np.zeros((0, self.dimension), np.int8))

    @property
    def unsaved(self) -> int:
        """Slots whose records are in memory alone."""
        return self.count - len(self.arrays[0])

    def append(self, picture_id: int, channel: int, active: bool, keypoints: bytes, vector: bytes) -> int:
        """The slot of a new picture; picture numbers must grow."""
        slot, row = self.count, self.unsaved
        for name in ("picture_ids", "channels", "keypoints", "visible", "alive"):
            setattr(self, name, _room(getattr(self, name), slot))
        self.arrays = (self.arrays[0], _room(self.arrays[1], row))
        self.vector_arrays = (self.vector_arrays[0], _room(self.vector_arrays[1], row))
        rows = from_bytes(keypoints)[:KEYPOINTS]
        self.arrays[1][row, : len(rows)] = rows
        self.vector_arrays[1][row] = np.frombuffer(vector, np.int8)
        self.picture_ids[slot], self.channels[slot], self.keypoints[slot] = picture_id, channel, len(rows)
        self.visible[slot], self.alive[slot] = active, 1
        self.count += 1
        return slot

    def slot_of(self, picture_id: int) -> int | None:
        """Picture numbers grow with the slots, so that bisection finds them."""
        at = int(np.searchsorted(self.picture_ids[: self.count], picture_id))
        return at if at < self.count and self.picture_ids[at] == picture_id else None

    def slots_of(self, pictures: Array) -> Array:
        """(N,) int64 slots of (N,) picture numbers, -1 where there is none."""
        ids = self.picture_ids[: self.count]
        at = np.searchsorted(ids, pictures)
        known = at < len(ids)
        known[known] = ids[at[known]] == np.asarray(pictures)[known]
        return np.where(known, at, -1)

    def records(self, slot: int) -> Array:
        """(n, 2) uint64 keypoint rows of one slot."""
        return np.asarray(record_at.py_func(*self.arrays, slot)[: self.keypoints[slot]])

    def vectors(self, slots: Array) -> Array:
        """(N, G) int8."""
        base, later = self.vector_arrays
        result = np.empty((len(slots), self.dimension), np.int8)
        old = slots < len(base)
        result[old] = base[slots[old]]
        result[~old] = later[slots[~old] - len(base)]
        return result

    def rebase(self, base: Array, base_vectors: Array) -> None:
        """The first len(base) slots are read from `base` from now on, and their memory is given back."""
        moved = len(base) - len(self.arrays[0])
        later = self.arrays[1][moved : self.count - len(self.arrays[0])].copy()
        vectors = self.vector_arrays[1][moved : self.count - len(self.arrays[0])].copy()
        self.arrays, self.vector_arrays = (base, later), (base_vectors, vectors)


def _room(array: Array, row: int) -> Array:
    if row < len(array):
        return array
    larger = np.zeros((max(256, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
