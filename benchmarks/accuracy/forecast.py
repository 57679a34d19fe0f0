"""What each threshold would bring: the shares of photos that are answered, rightly and wrongly, with the right picture
in the gallery and without it. The console shows it beside a picture's own threshold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.outcomes import Outcome, answer
from engine.judge.calibration import Calibration

THRESHOLDS = (40, 50, 60, 70, 75, 80, 85, 90, 92, 94, 96, 98, 99)


def forecast(outcomes: Sequence[Outcome], calibration: Calibration, *, file: Path, default: float) -> dict[str, Any]:
    """Rows by threshold, ascending, the default among them. answered: right answers over photos of gallery pictures;
    wrong: other answers to those; missing_answered: answers to photos whose picture was left out of the gallery. file:
    of the calibration, to which the rows belong. Looks at nothing of the gallery are in none of the shares."""
    shown = [o for o in outcomes if o.right and not o.left_out]
    missing = [o for o in outcomes if o.left_out]
    bests = {id(o): answer(o, calibration) for o in (*shown, *missing)}

    def share(looks: Sequence[Outcome], threshold: float, right: bool) -> float:
        count = 0
        for look in looks:
            best = bests[id(look)]
            if best.identifier is not None and best.match_ratio >= threshold and best.identifier not in look.allowed:
                count += (best.identifier in look.right) == right
        return round(count / max(len(looks), 1), 4)

    return {
        "calibration_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "photos": len(shown),
        "photos_whose_picture_is_missing": len(missing),
        "sets": sorted({o.set for o in outcomes}),
        "rows": [
            {
                "threshold": threshold,
                "answered": share(shown, threshold, True),
                "wrong": share(shown, threshold, False),
                "missing_answered": share(missing, threshold, False),
            }
            for threshold in sorted({*THRESHOLDS, round(default, 2)})
        ],
    }
