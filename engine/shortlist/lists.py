"""The two lists of a shortlist, merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.values import Array, FloatArray


@dataclass(frozen=True)
class Shortlist:
    """Candidates: places of records inside an index, picture numbers outside it."""

    votes: Array
    by_global: Array
    """Both lists, best first."""
    always: Array
    """What is ranked whatever the lists say: small channels, tails."""

    def union(self) -> Array:
        """Each candidate once: both lists in turn, then what is always ranked."""
        longest = max(len(self.votes), len(self.by_global))
        turns = np.full((longest, 2), -1, np.int64)
        turns[: len(self.votes), 0] = self.votes
        turns[: len(self.by_global), 1] = self.by_global
        merged = np.concatenate([turns.ravel(), self.always])
        merged = merged[merged >= 0]
        return merged[np.sort(np.unique(merged, return_index=True)[1])]


def merge_lists(lists: list[tuple[Array, FloatArray]], depth: int) -> Array:
    """The best `depth` candidates of several segments' lists (candidates, scores), by their scores."""
    if not lists:
        return np.zeros(0, np.int64)
    candidates, scores = (np.concatenate(arrays) for arrays in zip(*lists, strict=True))
    return np.asarray(candidates[np.lexsort((candidates, -scores))[:depth]], np.int64)
