"""The two lists of a shortlist, merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.values import Array, FloatArray


@dataclass(frozen=True)
class Shortlist:
    """Candidate slots. votes, by_global: the two lists, best first; always: slots that are ranked whatever
    the lists say (small channels, tails)."""

    votes: Array
    by_global: Array
    always: Array

    def union(self) -> Array:
        """Each slot once: both lists in turn, then what is always ranked."""
        longest = max(len(self.votes), len(self.by_global))
        turns = np.full((longest, 2), -1, np.int64)
        turns[: len(self.votes), 0] = self.votes
        turns[: len(self.by_global), 1] = self.by_global
        merged = np.concatenate([turns.ravel(), self.always])
        merged = merged[merged >= 0]
        return merged[np.sort(np.unique(merged, return_index=True)[1])]


def _best(lists: list[tuple[Array, FloatArray]], depth: int) -> Array:
    """The best slots of several segments' lists by score."""
    if not lists:
        return np.zeros(0, np.int64)
    slots, scores = (np.concatenate(arrays) for arrays in zip(*lists, strict=True))
    return np.asarray(slots[np.lexsort((slots, -scores))[:depth]], np.int64)
