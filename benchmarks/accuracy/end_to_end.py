"""End to end on evaluation photos: recall@1, wrong answers, false accepts, latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.accuracy.calibrate import recall_curve
from benchmarks.accuracy.outcomes import Outcome, answer
from engine.judge.calibration import Calibration


def figures(outcomes: Sequence[Outcome], calibration: Calibration, *, threshold: float) -> dict[str, Any]:
    """The figures of one set, or of several pooled. recall_at_1: right answers over photos of gallery pictures; wrong:
    other answers to those; false_accepts: answers to photos of no gallery picture."""
    right = wrong = easy = hard = 0
    for outcome in outcomes:
        best = answer(outcome, calibration)
        if best.identifier is None or best.match_ratio < threshold:
            continue
        if best.identifier in outcome.right:
            right += 1
        elif best.identifier in outcome.allowed:
            continue
        elif outcome.right:
            wrong += 1
        elif outcome.hard:
            hard += 1
        else:
            easy += 1
    positives = sum(bool(o.right) for o in outcomes)
    negatives_hard = sum(o.hard for o in outcomes if not o.right)
    totals = [sum(o.timings_ms.values()) for o in outcomes]
    stages = sorted({s for o in outcomes for s in o.timings_ms})
    return {
        "queries": len(outcomes),
        "positives": positives,
        "recall_at_1": round(right / positives, 4) if positives else None,
        "wrong": wrong,
        "negatives_easy": len(outcomes) - positives - negatives_hard,
        "false_accepts_easy": easy,
        "negatives_hard": negatives_hard,
        "false_accepts_hard": hard,
        "p50_ms": round(float(np.median(totals)), 1) if totals else None,
        "p95_ms": round(float(np.quantile(totals, 0.95)), 1) if totals else None,
        "stages_ms": {s: round(float(np.median([o.timings_ms.get(s, 0.0) for o in outcomes])), 2) for s in stages},
        "recall_at_errors": recall_curve(outcomes, calibration),
        "by_level": _by_level(outcomes, calibration, threshold=threshold),
    }


def _by_level(
    outcomes: Sequence[Outcome], calibration: Calibration, *, threshold: float
) -> dict[str, dict[str, float]]:
    """Photos and recall@1 by the level of the picture they show; levels without photos are left out."""
    rows: dict[int, list[bool]] = {}
    for outcome in outcomes:
        if outcome.right:
            best = answer(outcome, calibration)
            rows.setdefault(outcome.level, []).append(
                best.match_ratio >= threshold and best.identifier in outcome.right
            )
    return {str(k): {"photos": len(v), "recall_at_1": round(float(np.mean(v)), 4)} for k, v in sorted(rows.items())}


def report(outcomes: Sequence[Outcome], calibration: Calibration, *, threshold: float, gallery: int) -> dict[str, Any]:
    """{"gallery", "threshold", "sets": {NAME: figures}, "all": figures}."""
    names = list(dict.fromkeys(o.set for o in outcomes))
    return {
        "gallery": gallery,
        "threshold": threshold,
        "sets": {
            name: figures([o for o in outcomes if o.set == name], calibration, threshold=threshold) for name in names
        },
        "all": figures(outcomes, calibration, threshold=threshold),
    }
