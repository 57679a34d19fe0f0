"""Fits the match ratio: the pair models, the answer model and the default threshold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.accuracy.bounds import fewest_trials, most_errors
from benchmarks.accuracy.outcomes import Answer, Outcome, answer, answer_rows
from engine.errors import ResearchError
from engine.judge.calibration import ANSWER_FIGURES, FULL_FIGURES, GEOMETRY_FIGURES, Calibration, Logistic

PENALTY = 8.0
"""Strength of the L2 penalty on standardised weights. Chosen among 1 ... 20 by fitting each half of the
evaluation objects and scoring the other: recall at 0.5 % errors .728 with 1, .776 with 5, .767 with 8, .739 with
20; 5 to 12 are alike, and 8 held up best at a threshold carried from one half to the other."""
TOLERATED = 0.005
"""Share of all looks, left-out ones among them, that the default threshold may answer wrongly."""


def fit_logistic(
    names: Sequence[str], rows: Sequence[dict[str, float]], labels: Sequence[bool], *, looks: float = 1
) -> Logistic:
    """Logistic regression: maximum a posteriori weights by L-BFGS. looks: rows that together count as one, so that
    looking twice at the same photos does not pass for twice as many of them. Raises ResearchError where only one class
    is given."""
    if len(set(labels)) < 2:
        raise ResearchError("right and wrong candidates are both needed to fit; give more photos")
    values = np.array([[row[name] for name in names] for row in rows])
    target = np.where(labels, 1.0, -1.0)
    mean, scale = values.mean(0), np.maximum(values.std(0), 1e-3)
    design = np.c_[(values - mean) / scale, np.ones(len(values))]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = target * (design @ weights)
        slope = -target / (1 + np.exp(np.clip(margin, -500, 500)))
        strength = PENALTY * looks * np.r_[np.ones(len(weights) - 1), 0.0]
        value = np.logaddexp(0, -margin).sum() + (strength * weights**2).sum() / 2
        return float(value), design.T @ slope + strength * weights

    best = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x
    return Logistic(tuple(names), mean, scale, best[:-1], float(best[-1]))


def fit(
    outcomes: Sequence[Outcome],
    *,
    threshold_on: Sequence[Outcome] | None = None,
    errors: float = TOLERATED,
    confidence: float | None = None,
) -> Calibration:
    """The match ratio, fitted on looks at photos whose truth is known, equally many at each; a candidate that is merely
    visible too teaches nothing. threshold_on: the looks that choose the threshold, None: the same; errors, confidence:
    as in `choose_threshold`. Raises ResearchError where they show right candidates only, or wrong ones only."""
    looks = len(outcomes) / max(len({(o.set, o.query, o.left_out) for o in outcomes}), 1)
    pairs = [(c, i in o.right) for o in outcomes for i, c in o.candidates if i not in o.allowed or i in o.right]
    figures, labels = [c for c, _ in pairs], [label for _, label in pairs]
    geometry = fit_logistic(GEOMETRY_FIGURES, figures, labels, looks=looks)
    seen = [(c, label) for c, label in pairs if "structure" in c]
    full = geometry
    if seen:
        full = fit_logistic(FULL_FIGURES, [c for c, _ in seen], [label for _, label in seen], looks=looks)
    zeros = np.zeros(len(ANSWER_FIGURES))
    # A first pass orders candidates by their own logits; the second by the answer model that it gave.
    first = np.array([float(name in ("logit", "margin")) for name in ANSWER_FIGURES])
    draft = Calibration(full, geometry, Logistic(ANSWER_FIGURES, zeros, zeros + 1, first, 0.0), threshold=50.0)
    for _ in range(2):
        rows, right = [], []
        for outcome in outcomes:
            rated = answer_rows(outcome, draft)
            if rated:
                name, best = max(rated, key=lambda row: draft.answer_ratio(row[1]))
                if name in outcome.right or name not in outcome.allowed:
                    rows.append(best)
                    right.append(name in outcome.right)
        draft = Calibration(full, geometry, fit_logistic(ANSWER_FIGURES, rows, right, looks=looks), threshold=50.0)
    chosen_on = outcomes if threshold_on is None else threshold_on
    return Calibration(
        full, geometry, draft.answer, threshold=choose_threshold(chosen_on, draft, errors=errors, confidence=confidence)
    )


def choose_threshold(
    outcomes: Sequence[Outcome],
    calibration: Calibration,
    *,
    errors: float = TOLERATED,
    confidence: float | None = None,
) -> float:
    """The least match ratio at which wrong and false answers are at most the share `errors` of the looks; with
    `confidence`, at which the upper bound of the share of photos is that have one among their looks: these are no
    independent trials. Raises ResearchError where there are too few photos to show that, and where the surest mistakes
    leave no ratio above them."""
    mistakes = [(o, a.match_ratio) for o, a in _answers(outcomes, calibration) if _right(o, a) is False]
    if confidence is None:
        ratios, allowed = [ratio for _, ratio in mistakes], int(errors * len(outcomes))
    else:
        worst: dict[tuple[str, str], float] = {}
        for o, ratio in mistakes:
            worst[o.set, o.query] = max(ratio, worst.get((o.set, o.query), 0.0))
        photos = len({(o.set, o.query) for o in outcomes})
        most = most_errors(photos, share=errors, confidence=confidence)
        if most is None:
            needed = fewest_trials(share=errors, confidence=confidence)
            raise ResearchError(
                f"{photos} photos cannot show that errors are at most {errors:g} with a confidence of {confidence:g}: "
                f"it takes {needed} without any error"
            )
        ratios, allowed = list(worst.values()), most
    if len(ratios) <= allowed:
        return 50.0
    threshold = round(sorted(ratios, reverse=True)[allowed] + 0.01, 2)
    if threshold > 100:
        raise ResearchError(f"{allowed + 1} or more mistakes have a match ratio of 100: no threshold leaves them out")
    return max(5.0, threshold)


def scored(outcomes: Sequence[Outcome], calibration: Calibration) -> list[tuple[float, bool | None]]:
    """(match ratio, right) of each photo's best candidate; None where it is neither right nor wrong."""
    return [(best.match_ratio, _right(outcome, best)) for outcome, best in _answers(outcomes, calibration)]


def _answers(outcomes: Sequence[Outcome], calibration: Calibration) -> list[tuple[Outcome, Answer]]:
    """The best candidate of each photo that has one."""
    answers = [(outcome, answer(outcome, calibration)) for outcome in outcomes]
    return [(outcome, best) for outcome, best in answers if best.identifier is not None]


def _right(outcome: Outcome, best: Answer) -> bool | None:
    """None where it is neither right nor wrong."""
    if best.identifier in outcome.right:
        return True
    return None if best.identifier in outcome.allowed else False


def recall_curve(outcomes: Sequence[Outcome], calibration: Calibration) -> dict[str, float]:
    """Recall when 0, 0.2, 0.5, 1 and 2 % of all photos are answered wrongly."""
    positives = sum(bool(o.right) for o in outcomes)
    ranked = sorted(scored(outcomes, calibration), key=lambda pair: (-pair[0], pair[1] is not False))
    curve: dict[str, float] = {}
    for share in (0.0, 0.002, 0.005, 0.01, 0.02):
        errors = hits = best = 0
        for _, right in ranked:
            errors += right is False
            hits += right is True
            if errors <= share * len(outcomes):
                best = hits
        curve[f"{share:.3f}"] = round(best / max(positives, 1), 4)
    return curve


def write_calibration(path: Path, calibration: Calibration, facts: dict[str, Any]) -> None:
    """Writes the file that the engine's `calibration` setting takes, with facts about the fit beside the models."""
    models = {k: getattr(calibration, k).to_json() for k in ("pair_full", "pair_geometry", "answer")}
    content = {**models, "threshold": round(calibration.threshold, 2), "fitted_on": facts}
    path.write_text(json.dumps(content, indent=1) + "\n")
