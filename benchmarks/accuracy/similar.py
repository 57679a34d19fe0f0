"""Similar pictures: recall and false-similar rate against the threshold, from `obverse evaluate --outcomes FILE`.

    python -m benchmarks.accuracy.similar OUTCOMES.jsonl [...]

A photo of a gallery picture should be reported similar to it, a photo of no gallery picture to none. Every candidate
is judged by itself: look-alikes do not compete here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.outcomes import Outcome, read_outcomes
from engine.judge.calibration import Calibration, load_calibration

THRESHOLDS = (50.0, 80.0, 85.0, 90.0, 92.0, 94.0, 95.0, 96.0, 97.0, 98.0)
"""Least match ratios at which a picture counts as similar."""


def rates(outcomes: Sequence[Outcome], calibration: Calibration, threshold: float) -> dict[str, Any]:
    """The shares at one threshold. recall: of the photos of gallery pictures, those that are similar to a right one;
    false_similar: of the other photos, those that are similar to anything, easy and hard negatives apart."""
    found = {True: 0, False: 0}
    totals = {"positives": 0, "easy": 0, "hard": 0}
    false = {"easy": 0, "hard": 0}
    for outcome in outcomes:
        similar = {
            name
            for name, figures in outcome.candidates
            if calibration.match_ratio(calibration.pair_logit(figures), None) >= threshold
        }
        if outcome.right:
            totals["positives"] += 1
            found[bool(similar & set(outcome.right))] += 1
        else:
            kind = "hard" if outcome.hard else "easy"
            totals[kind] += 1
            false[kind] += bool(similar)
    return {
        "recall": round(found[True] / max(totals["positives"], 1), 4),
        **{f"false_similar_{k}": round(v / max(totals[k], 1), 4) for k, v in false.items()},
        **totals,
    }


def rates_by_threshold(outcomes: Sequence[Outcome], calibration: Calibration) -> dict[str, Any]:
    """{SIDE: {threshold: {SET: rates}}}: by half of the objects, threshold and set, and for all sets as "all"."""
    result: dict[str, Any] = {}
    for side in ("fit", "report"):
        half = [o for o in outcomes if o.side == side]
        result[side] = {
            str(t): {
                name: rates([o for o in half if name in (o.set, "all")], calibration, t)
                for name in [*dict.fromkeys(o.set for o in half), "all"]
            }
            for t in THRESHOLDS
        }
    return result


if __name__ == "__main__":
    read = [o for path in sys.argv[1:] for o in read_outcomes(Path(path)) if not o.left_out]
    print(json.dumps(rates_by_threshold(read, load_calibration()), indent=1))
