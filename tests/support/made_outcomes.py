"""Outcomes of photos and a match ratio, made so that figures can be worked out by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy.outcomes import Outcome
from engine.judge.calibration import Calibration, Logistic


def outcome(
    *candidates: tuple[str, float],
    right: tuple[str, ...] = (),
    allowed: tuple[str, ...] = (),
    hard: bool = False,
    twins: list[list[int]] | None = None,
    milliseconds: float = 10.0,
    name: str = "s",
    left_out: bool = False,
) -> Outcome:
    """A photo whose candidates have nothing but a number of inliers."""
    return Outcome(
        name,
        "q",
        list(right),
        list(allowed),
        hard,
        "fit",
        [(identifier, {"inliers": value}) for identifier, value in candidates],
        twins or [[] for _ in candidates],
        {},
        3,
        {"decode": milliseconds / 2, "verify": milliseconds / 2},
        left_out,
    )


def logistic(*names: str) -> Logistic:
    return Logistic(names, np.zeros(len(names)), np.ones(len(names)), np.ones(len(names)), 0.0)


PLAIN = Calibration(logistic("inliers"), logistic("inliers"), logistic("logit"), 50.0)
"""The match ratio is the logistic function of the inliers, nothing else."""


def ratio(inliers: float) -> float:
    """The match ratio that PLAIN gives a lone candidate."""
    return float(100 / (1 + np.exp(-inliers)))


TEN = [
    outcome(("a", 5.0), right=("a",)),
    outcome(("a", 4.0), ("b", 1.0), right=("a",)),
    outcome(("b", 3.0), ("a", 2.0), right=("a",)),  # wrong
    outcome(("a", 2.5), right=("a",)),
    outcome(("b", -1.0), right=("a",)),  # wrong, but below 50
    outcome(right=("a",)),  # nothing verified
    outcome(("c", 2.2)),  # false accept
    outcome(("c", 1.5), hard=True),  # false accept on a hard negative
    outcome(),
    outcome(("v", 6.0), right=("a",), allowed=("v",)),  # visible too: neither right nor wrong
]
"""Ten photos, of which seven show a picture, with an answer of every kind."""
