"""Fits the match ratio: the pair models, the answer model and the default threshold."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
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
ANSWER_PENALTY = 2.0
"""The same of the answer model: its seven weights have thousands of rows, and held back more they say .95 where .98 is
right. By the same trial the expected calibration error is .036 with 2, .046 with 4, at the same recall."""
MADE = 0.05
"""What a look at a photo of a made series counts beside one at a real photo. By trial on the fit half, of 0 to .2: from
.02 on other prints of made series that the fit has not seen are answered .06 of the time instead of .17; more costs
recall on real photos (docs/decisions/0017)."""
TOLERATED = 0.005
"""Share of all looks, left-out ones among them, that the default threshold may answer wrongly."""
FOLDS = 10
"""Parts of the objects, each judged by a fit of the others when the threshold is chosen: a fit is kinder to photos that
it has seen (docs/decisions/0017)."""


def fit_logistic(
    names: Sequence[str],
    rows: Sequence[dict[str, float]],
    labels: Sequence[bool],
    *,
    counts: Sequence[float] | None = None,
    penalty: float = PENALTY,
) -> Logistic:
    """Logistic regression: maximum a posteriori weights by L-BFGS. counts: what each row counts, None: 1. Raises
    ResearchError where only one class is given."""
    if len(set(labels)) < 2:
        raise ResearchError("right and wrong candidates are both needed to fit; give more photos")
    values = np.array([[row[name] for name in names] for row in rows])
    target = np.where(labels, 1.0, -1.0)
    count = np.ones(len(values)) if counts is None else np.array(counts)
    mean = np.average(values, 0, count)
    scale = np.maximum(np.sqrt(np.average((values - mean) ** 2, 0, count)), 1e-3)
    design = np.c_[(values - mean) / scale, np.ones(len(values))]
    strength = penalty * np.r_[np.ones(len(names)), 0.0]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = target * (design @ weights)
        slope = -target * count / (1 + np.exp(np.clip(margin, -500, 500)))
        value = (count * np.logaddexp(0, -margin)).sum() + (strength * weights**2).sum() / 2
        return float(value), design.T @ slope + strength * weights

    best = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x
    return Logistic(tuple(names), mean, scale, best[:-1], float(best[-1]))


def fit(
    outcomes: Sequence[Outcome],
    *,
    made: Sequence[Outcome] = (),
    threshold_on: Sequence[Outcome] | None = None,
    errors: float = TOLERATED,
    confidence: float | None = None,
) -> Calibration:
    """The match ratio, fitted on looks at photos whose truth is known, equally many at each; a candidate that is merely
    visible too teaches nothing. Several looks at a photo together count as one: they are no further photos. made: looks
    at made series, each of which counts MADE. threshold_on: the looks that choose the threshold, None: `outcomes`; each
    is judged by a fit that has not seen its object. errors, confidence: as in `choose_threshold`. Raises ResearchError
    where they show right candidates only, or wrong ones only."""
    calibration = _fit(outcomes, made)
    chosen_on = outcomes if threshold_on is None else threshold_on
    unseen = _unseen(chosen_on, outcomes, made, calibration)
    return replace(calibration, threshold=choose_threshold(unseen, errors=errors, confidence=confidence))


def _fit(outcomes: Sequence[Outcome], made: Sequence[Outcome]) -> Calibration:
    """The regressions; the threshold is yet to be chosen."""
    shares = [*_shares(outcomes, 1.0), *_shares(made, MADE)]
    known = list(zip([*outcomes, *made], shares, strict=True))
    pairs = [
        (c, i in o.right, share) for o, share in known for i, c in o.candidates if i not in o.allowed or i in o.right
    ]
    geometry = _fit_pairs(GEOMETRY_FIGURES, pairs)
    seen = [pair for pair in pairs if "structure" in pair[0]]
    full = _fit_pairs(FULL_FIGURES, seen) if seen else geometry
    zeros = np.zeros(len(ANSWER_FIGURES))
    # A first pass orders candidates by their own logits; the second by the answer model that it gave.
    first = np.array([float(name in ("logit", "margin")) for name in ANSWER_FIGURES])
    draft = Calibration(full, geometry, Logistic(ANSWER_FIGURES, zeros, zeros + 1, first, 0.0), threshold=50.0)
    for _ in range(2):
        best = []
        for outcome, share in known:
            rated = answer_rows(outcome, draft)
            if rated:
                name, figures = max(rated, key=lambda row: draft.answer_ratio(row[1]))
                if name in outcome.right or name not in outcome.allowed:
                    best.append((figures, name in outcome.right, share))
        draft = Calibration(full, geometry, _fit_pairs(ANSWER_FIGURES, best, penalty=ANSWER_PENALTY), threshold=50.0)
    return draft


def _unseen(
    outcomes: Sequence[Outcome], fitted: Sequence[Outcome], made: Sequence[Outcome], calibration: Calibration
) -> list[tuple[Outcome, Answer]]:
    """Each outcome with its answer by a fit to the photos of other objects. calibration: of all `fitted` ones, for
    objects that are not among them, and where the others are too few for a fit."""
    shown = {(o.set, o.query): min(o.right) for o in (*outcomes, *fitted) if o.right}

    def object_of(o: Outcome) -> tuple[str, str]:
        return o.set, shown.get((o.set, o.query), o.query)

    folds = {key: number % FOLDS for number, key in enumerate(sorted({object_of(o) for o in fitted}))}
    judges: dict[int | None, Calibration] = {None: calibration}
    for fold in range(FOLDS):
        judges[fold] = calibration
        with contextlib.suppress(ResearchError):
            judges[fold] = _fit([o for o in fitted if folds[object_of(o)] != fold], made)
    return [(o, answer(o, judges[folds.get(object_of(o))])) for o in outcomes]


def _shares(outcomes: Sequence[Outcome], each: float) -> list[float]:
    """What each look counts, so that all at one photo, or at one with its picture left out, come to `each`."""
    looks = Counter((o.set, o.query, o.left_out) for o in outcomes)
    return [each / looks[o.set, o.query, o.left_out] for o in outcomes]


def _fit_pairs(
    names: Sequence[str], pairs: Sequence[tuple[dict[str, float], bool, float]], *, penalty: float = PENALTY
) -> Logistic:
    """pairs: figures, whether these are of a right candidate, and what the row counts."""
    figures, labels = [row for row, _, _ in pairs], [right for _, right, _ in pairs]
    return fit_logistic(names, figures, labels, counts=[count for _, _, count in pairs], penalty=penalty)


def choose_threshold(
    answers: Sequence[tuple[Outcome, Answer]], *, errors: float = TOLERATED, confidence: float | None = None
) -> float:
    """The least match ratio at which wrong and false answers are at most the share `errors` of the looks; with
    `confidence`, at which the upper bound of the share of photos is that have one among their looks: these are no
    independent trials. answers: all looks, with what each was answered. Raises ResearchError where there are too few
    photos to show that, and where the surest mistakes leave no ratio above them."""
    mistakes = [(o, a.match_ratio) for o, a in answers if a.identifier is not None and _right(o, a) is False]
    if confidence is None:
        ratios, allowed = [ratio for _, ratio in mistakes], int(errors * len(answers))
    else:
        worst: dict[tuple[str, str], float] = {}
        for o, ratio in mistakes:
            worst[o.set, o.query] = max(ratio, worst.get((o.set, o.query), 0.0))
        photos = len({(o.set, o.query) for o, _ in answers})
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
    """(match ratio, right) of each photo's best candidate, where it has one; None where that is neither right nor
    wrong."""
    answers = [(outcome, answer(outcome, calibration)) for outcome in outcomes]
    return [(best.match_ratio, _right(outcome, best)) for outcome, best in answers if best.identifier is not None]


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
