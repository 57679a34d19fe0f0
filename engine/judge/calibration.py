"""From the figures of a verified candidate to its match ratio: two small logistic regressions.

The pair model judges one candidate by itself; the answer model then sees the best candidate's logit,
its margin over the runner-up and their duel. Both were fitted on evaluation photos (`obverse calibrate`);
a thousand looks feed three dozen weights, held small by a penalty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError
from engine.judge.look_alikes import NO_RIVAL, Duel
from engine.settings import DEFAULT_MODEL

GEOMETRY_FIGURES = ("inliers", "share", "similarity", "spread", "rank_score", "ratio_kept")
LEGIBILITY_FIGURES = ("detail", "shift", "bend", "size", "dimness", "contrast")
CONTENT_FIGURES = (
    "content",
    "content_quartile",
    "content_tenth",
    "content_differs",
    "wide",
    "wide_quartile",
    "wide_tenth",
    "wide_differs",
    "region",
)
PRINT_FIGURES = ("print_median", "print_hidden", "print_enclosed", "print_contradicted")
FULL_FIGURES = (
    *GEOMETRY_FIGURES,
    "structure",
    "structure_low",
    "structure_share",
    "colour",
    "chroma_gap",
    "colour_back",
    "gap_back",
    "hue",
    "visible",
    *LEGIBILITY_FIGURES,
    *CONTENT_FIGURES,
    *PRINT_FIGURES,
)
"""What the pair model may read of a candidate whose picture was kept; a fit names those that it does read, so that one
that was made before some of them were known goes on."""
DUEL_FIGURES = ("rival", "structure", "colour", "alike", "shared")
ANSWER_FIGURES = ("logit", "margin", *DUEL_FIGURES)
FURTHEST = 10.0
"""Logits and margins are cut here: beyond it more evidence changes nothing."""


@dataclass(frozen=True)
class Logistic:
    """P = 1 / (1 + exp(-(weights . (figures - mean) / scale + intercept)))."""

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float

    def logit(self, figures: dict[str, float]) -> float:
        values = np.array([figures[name] for name in self.names])
        return float(((values - self.mean) / self.scale) @ self.weights + self.intercept)

    def to_json(self) -> dict[str, object]:
        arrays = {k: [round(float(x), 6) for x in getattr(self, k)] for k in ("mean", "scale", "weights")}
        return {"names": list(self.names), **arrays, "intercept": round(self.intercept, 6)}


@dataclass(frozen=True)
class Calibration:
    """pair_full judges with structure, colour and content, pair_geometry where no picture was kept; threshold: default
    least match ratio, 0-100."""

    pair_full: Logistic
    pair_geometry: Logistic
    answer: Logistic
    threshold: float

    def pair_logit(self, figures: dict[str, float]) -> float:
        chosen = self.pair_full if "structure" in figures else self.pair_geometry
        return chosen.logit(figures)

    def match_ratio(self, logit: float, runner_up: float | None, duel: Duel = NO_RIVAL) -> float:
        """Percent. runner_up: the best other candidate's logit; duel: the comparison with it."""
        return self.answer_ratio(answer_figures(logit, runner_up, duel))

    def answer_ratio(self, figures: dict[str, float]) -> float:
        """The same from `answer_figures`."""
        value = self.answer.logit(figures)
        return float(100 / (1 + np.exp(-np.clip(value, -30, 30))))


def answer_figures(logit: float, runner_up: float | None, duel: Duel) -> dict[str, float]:
    """What the answer model reads."""
    margin = FURTHEST if runner_up is None else float(np.clip(logit - runner_up, -FURTHEST, FURTHEST))
    return {"logit": float(np.clip(logit, -FURTHEST, FURTHEST)), "margin": margin, **vars(duel)}


def load_calibration(path: Path | None = None) -> Calibration:
    """From JSON; the shipped fit where no path is given. Raises ModelError for whatever could not judge every
    candidate."""
    path = path or DEFAULT_MODEL / "calibration.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        full = _logistic(content["pair_full"], FULL_FIGURES)
        geometry = _logistic(content["pair_geometry"], GEOMETRY_FIGURES)
        answer = _logistic(content["answer"], ANSWER_FIGURES)
        threshold = float(content["threshold"])
        if not 0 <= threshold <= 100:
            raise ValueError(f"the threshold is {threshold:g}, not 0 to 100")
        return Calibration(full, geometry, answer, threshold)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is no calibration: {error}") from error


def _logistic(content: dict[str, Any], known: Sequence[str]) -> Logistic:
    mean, scale, weights = (np.array(content[k], np.float64) for k in ("mean", "scale", "weights"))
    names, intercept = tuple(str(n) for n in content["names"]), float(content["intercept"])
    if any(a.shape != (len(names),) for a in (mean, scale, weights)):
        raise ValueError("as many means, scales and weights as names are needed")
    if unknown := set(names) - set(known):
        raise ValueError(f"nothing here computes {', '.join(sorted(unknown))}")
    if not np.isfinite([*mean, *scale, *weights, intercept]).all() or (scale <= 0).any():
        raise ValueError("means, scales and weights are finite, scales above 0")
    return Logistic(names, mean, scale, weights, intercept)
