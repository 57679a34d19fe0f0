"""End to end on evaluation photos: recall@1, wrong answers, false accepts, latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.accuracy.bounds import share_bounds
from benchmarks.accuracy.calibrate import recall_curve, scored
from benchmarks.accuracy.outcomes import Outcome, answer
from engine.judge.calibration import Calibration


def figures(outcomes: Sequence[Outcome], calibration: Calibration, *, threshold: float) -> dict[str, Any]:
    """The figures of one set, or of several pooled. recall_at_1: right answers over photos of gallery pictures; wrong:
    other answers to those; false_accepts: answers to photos of no gallery picture; bounds: 95 % of each as a share.
    Left-out looks are counted by themselves, under `left_out`, where there are any."""
    every, outcomes = outcomes, [o for o in outcomes if not o.left_out]
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
        "bounds": {
            "recall_at_1": _bounds(right, positives),
            "wrong": _bounds(wrong, positives),
            "false_accepts_easy": _bounds(easy, len(outcomes) - positives - negatives_hard),
            "false_accepts_hard": _bounds(hard, negatives_hard),
        },
        **({"left_out": left_out(every, calibration, threshold=threshold)} if len(every) > len(outcomes) else {}),
    }


def left_out(outcomes: Sequence[Outcome], calibration: Calibration, *, threshold: float) -> dict[str, Any]:
    """How the same photos are judged when the picture that they show is not in the gallery. photos: such looks;
    false_accepts: those that were answered, as a share and its 95 % bounds beside it; expected_calibration_error: of
    all looks, left-out ones too, and of those where a look-alike was near; recall_at_errors: right answers over photos
    of gallery pictures, with answers to left-out looks among the errors."""
    looks = [o for o in outcomes if o.left_out]
    bests = [answer(o, calibration) for o in looks]
    accepted = sum(
        b.identifier is not None and b.match_ratio >= threshold and b.identifier not in o.allowed
        for o, b in zip(looks, bests, strict=True)
    )
    return {
        "photos": len(looks),
        "false_accepts": accepted,
        "false_accept_rate": round(accepted / len(looks), 4) if looks else None,
        "false_accept_bounds": _bounds(accepted, len(looks)),
        "expected_calibration_error": calibration_error(outcomes, calibration),
        "expected_calibration_error_look_alikes": calibration_error([o for o in outcomes if o.duels], calibration),
        "recall_at_errors": recall_curve(outcomes, calibration),
    }


def calibration_error(outcomes: Sequence[Outcome], calibration: Calibration, *, bins: int = 10) -> float | None:
    """Expected calibration error (Naeini et al. 2015) of the best candidates' match ratios, in equally wide bins; None
    without any."""
    rated = [(ratio / 100, right) for ratio, right in scored(outcomes, calibration) if right is not None]
    if not rated:
        return None
    ratios, rights = (np.array(values, float) for values in zip(*rated, strict=True))
    place = np.minimum((ratios * bins).astype(int), bins - 1)
    gaps = [abs((rights - ratios)[place == one].sum()) for one in range(bins)]
    return round(float(sum(gaps) / len(ratios)), 4)


def _bounds(count: int, of: int) -> list[float]:
    return [round(bound, 4) for bound in share_bounds(count, of)]


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
