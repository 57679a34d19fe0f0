"""How well a ranked list does: recall at depths over all photos and by set, with the median time of a photo."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from benchmarks.places import place_of_right
from engine.values import Array, FloatArray

DEPTHS = (1, 10, 100, 500, 1500)
"""Depths at which recall is told."""
DEEPEST = 3000
"""Pictures that a list names at most."""

Described = TypeVar("Described")
"""What a list searches with."""
Asked = tuple[str, frozenset[int], Described]
"""A photo: its set, the numbers of the right pictures, and what a list searches with."""


def list_recall(
    photos: Sequence[Asked[Described]], search: Callable[[Described], tuple[Array, FloatArray]]
) -> dict[str, Any]:
    """{"ms", "all": {depth: recall}, "sets": {SET: {depth: recall}}}; ties count against the list, and a right
    picture that it does not name is not found."""
    search(photos[0][2])  # compiles
    places, spent = [], []
    for _, right, described in photos:
        started = time.perf_counter()
        ranked, scores = search(described)
        spent.append(1e3 * (time.perf_counter() - started))
        places.append(place_of_right(scores, np.isin(ranked, list(right))))
    names = np.array([name for name, _, _ in photos])
    ranks = np.array(places)
    return {
        "ms": round(float(np.median(spent)), 2),
        "all": _shares(ranks),
        "sets": {name: _shares(ranks[names == name]) for name in dict.fromkeys(names.tolist())},
    }


def _shares(ranks: Array) -> dict[str, float]:
    return {str(depth): round(float((ranks <= depth).mean()), 4) for depth in DEPTHS}
