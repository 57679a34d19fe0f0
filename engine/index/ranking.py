"""What an index of any kind answers with, and how the embedded one finds it: lists, then ranking by geometry."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from engine import rank
from engine.describe.query import Query
from engine.index.segments import IndexSegment
from engine.index.slots import SlotTable
from engine.settings import EngineSettings
from engine.shortlist import global_index, votes
from engine.shortlist.lists import Shortlist, merge_lists
from engine.threads import run_both
from engine.values import Array, FloatArray

_WORTH_SHARING = 100
"""Candidates from which on two threads are quicker than one."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """A gallery's pictures in the order in which they fit a photo."""

    pictures: Array
    """(C,) int64 picture numbers, best first; of equal scores the one that was added first."""
    scores: FloatArray
    """(C,) float32, of the ranking by geometry."""
    records: tuple[Array, ...]
    """Keypoint rows (n, 2) uint64 of the best few, in the same order."""


@dataclass(frozen=True)
class Part:
    """What a search reads of one shard, taken at one moment."""

    segments: tuple[IndexSegment, ...]
    tail: Array
    """(T,) int64 slots that are in no segment."""
    allowed: Array
    """(S,) uint8 by slot, 0 hides a picture."""


def search_lists(
    parts: list[Part],
    query: Query,
    settings: EngineSettings,
    *,
    votes_depth: int,
    global_depth: int,
    pool: Executor | None,
) -> Shortlist:
    """Slots by the two lists over all parts, and the parts' tails."""
    voted: list[tuple[Array, FloatArray]] = []
    similar: list[tuple[Array, FloatArray]] = []
    tails = [np.zeros(0, np.int64)]
    for part in parts:
        allowed = part.allowed
        tails.append(part.tail[allowed[part.tail] == 1])
        for segment in part.segments:
            preset = segment.votes.settings
            if settings.use_votes and votes_depth:
                words = query.words(half_bits=preset.half_bits, count=preset.words)
                found = votes.search(segment.votes, words, query.signatures, allowed, depth=votes_depth, pool=pool)
                voted.append(found)
            if settings.use_global and global_depth:
                vectors = query.global_vectors
                similar.append(global_index.search(segment.vectors, vectors, allowed, depth=global_depth))
    return Shortlist(merge_lists(voted, votes_depth), merge_lists(similar, global_depth), np.concatenate(tails))


def score_slots(table: SlotTable, query: Query, slots: Array, *, pool: Executor | None) -> FloatArray:
    """(C,) float32 scores of the ranking by geometry."""
    photo = rank.index_photo(query)
    base, later = table.arrays

    def score(some: Array) -> FloatArray:
        return rank.rank(photo, base, later, some, table.keypoints)

    if pool is None or len(slots) <= _WORTH_SHARING:
        return score(slots)
    first, second = np.array_split(slots, 2)
    return np.concatenate(run_both(pool, lambda: score(first), lambda: score(second)))


def best_first(table: SlotTable, slots: Array, scores: FloatArray, *, records: int) -> Ranking:
    """records: how many of the best come with their keypoints."""
    order = np.lexsort((slots, -scores))
    slots = slots[order]
    return Ranking(table.picture_ids[slots], scores[order], tuple(table.records(int(s)) for s in slots[:records]))
