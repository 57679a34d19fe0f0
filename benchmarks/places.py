"""The place at which a list has the right picture. Ties count against us: of pictures with one score, the wrong ones
stand first. A list that gave many pictures the same score could otherwise be lucky."""

from __future__ import annotations

import numpy as np

from engine.values import Array


def place_behind_ties(score: float, wrong: Array) -> int:
    """The place, from 1, of a right picture with this score among the scores of the wrong pictures, (W,) in any
    order: behind all whose score is as high."""
    return 1 + int(np.count_nonzero(wrong >= score))


def place_of_right(scores: Array, right: Array) -> float:
    """The place of the best right picture of a list; infinite where the list has none. scores: (N,), higher is better;
    right: (N,) bool, which pictures of the list are right ones."""
    if not right.any():
        return np.inf
    return float(place_behind_ties(scores[right].max(), scores[~right]))
