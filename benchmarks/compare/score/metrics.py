"""The figures of a comparison, as pure functions over arrays.

Shapes: `N` photos, `P` predictions, `R` resamples. A score is a similarity, higher is surer; -inf stands for what a
method did not list. `weights` (N,) or (P,) of whole numbers count an item so often, as a bootstrap draws it; None
counts each once. A figure of nothing (no photo, no positive) is NaN, never 0 or 1. Ties count against the method:
a wrong picture with the same score stands before the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from benchmarks.places import place_behind_ties
from engine.errors import ResearchError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
RESAMPLES = 1000
"""Resamples of a bootstrap: the ends of a 95 % interval have 25 of them outside on each side."""
SEED = 20260
"""Seed of all bootstraps, told in results.json."""


def rank_of_right(rank: Ints, score: Floats, right: Bools, neutral: Bools) -> float:
    """Rank of the best right picture of one photo, inf where none is listed. rank, score, right, neutral: (P,), one
    entry for each of its rows. A right row stands where the list has it, without the neutral rows before it, and
    behind every wrong row with an equal or higher score."""
    best = np.inf
    wrong = score[~right & ~neutral]
    for i in np.flatnonzero(right):
        listed = rank[i] - np.count_nonzero(neutral & (rank < rank[i]))
        best = min(best, max(float(listed), float(place_behind_ties(score[i], wrong))))
    return best


def share(hits: Bools, counted: Bools, weights: Ints | None = None) -> float:
    """Part of the counted items that are hits, e.g. recall@K = share(ranks <= K, positive). All (N,)."""
    w = np.ones(len(hits)) if weights is None else weights
    total = float(w[counted].sum())
    return float(w[counted & hits].sum()) / total if total else np.nan


def quantile(values: Floats, q: float, weights: Ints | None = None) -> float:
    """The least value at or below which a share q lies (inverted distribution function, Hyndman & Fan 1996,
    type 1); infinite values take part."""
    if not len(values):
        return np.nan
    order = np.argsort(values, kind="stable")
    run = np.cumsum(np.ones(len(values)) if weights is None else weights[order])
    if not run[-1]:
        return np.nan
    return float(values[order][min(int(np.searchsorted(run, q * run[-1] - 1e-9)), len(values) - 1)])


@dataclass(frozen=True, slots=True)
class Sweep:
    """Right and wrong predictions at or above each distinct threshold, thresholds falling. A threshold cannot
    divide equal scores."""

    threshold: Floats
    right: Floats
    wrong: Floats


def sweep(score: Floats, right: Bools, weights: Ints | None = None) -> Sweep:
    """score, right: (P,); infinite scores are refused by an assertion: the caller leaves out what is not listed."""
    assert np.isfinite(score).all()
    w = np.ones(len(score)) if weights is None else weights.astype(np.float64)
    if (score[1:] > score[:-1]).any():  # a hundred thousand pairs, a thousand times: sorted once by who has them
        order = np.argsort(-score, kind="stable")
        score, right, w = score[order], right[order], w[order]
    ends = np.flatnonzero(np.r_[score[1:] != score[:-1], True]) if len(score) else np.zeros(0, int)
    return Sweep(score[ends], np.cumsum(w * right)[ends], np.cumsum(w * ~right)[ends])


def micro_ap(score: Floats, right: Bools, positives: float, weights: Ints | None = None) -> float:
    """Micro average precision: the best picture of every photo, pooled, sorted by score; the mean over all
    positive photos of the precision at the place of each right one, 0 for those without (Perronnin et al. 2009,
    "A family of contextual measures of similarity"; Douze et al. 2021, "The 2021 image similarity dataset").
    positives: photos (their weights' sum) that show a picture of the gallery. It compares scores across photos:
    a method whose scores mean different things from photo to photo loses here.
    """
    if not positives:
        return np.nan
    order = np.lexsort((right, -score))  # wrong before right at equal scores
    right = right[order]
    w = np.ones(len(right), np.int64) if weights is None else weights[order].astype(np.int64)
    upto = np.cumsum(w)
    wrong = np.cumsum(w * ~right)
    # A right one of weight w stands for w in a row: sum of (1 - wrong / place) over their places.
    harmonic = np.r_[0.0, np.cumsum(1.0 / np.arange(1, (upto[-1] if len(upto) else 0) + 1))]
    gained = w - wrong * (harmonic[upto] - harmonic[upto - w])
    return float(gained[right].sum()) / positives


def recall_at_precision(
    score: Floats, right: Bools, positives: float, *, precision: float = 0.9, weights: Ints | None = None
) -> float:
    """Most positives answered rightly at a threshold with at least that precision (Douze et al. 2021: recall at
    90 % precision), pooled as in `micro_ap`; 0 where no threshold has it."""
    if not positives:
        return np.nan
    swept = sweep(score, right, weights)
    good = swept.right >= precision * (swept.right + swept.wrong) - 1e-9
    return float(swept.right[good].max(initial=0.0)) / positives


def tpr_at_fpr(
    score: Floats, right: Bools, rights: float, wrongs: float, *, fpr: float, weights: Ints | None = None
) -> float:
    """True-positive rate at a false-positive rate, over photo-picture pairs (Fawcett 2006, "An introduction to
    ROC analysis"): of all pairs of a photo and a right picture (rights), those with a score at or above the
    lowest threshold that at most fpr * wrongs of the other pairs reach. score, right: (P,) of the listed pairs;
    pairs that a method did not list have no score and are never reached."""
    if not rights or not wrongs:
        return np.nan
    swept = sweep(score, right, weights)
    return float(swept.right[swept.wrong <= fpr * wrongs + 1e-9].max(initial=0.0)) / rights


def threshold_for_errors(score: Floats, right: Bools, allowed: float) -> float:
    """Least score with at most `allowed` wrong predictions at or above it; inf where even the highest has more."""
    swept = sweep(score, right)
    good = swept.threshold[swept.wrong <= allowed + 1e-9]
    return float(good.min(initial=np.inf))


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions whose probability falls into one interval."""

    count: int
    """How many there are."""
    probability: float
    """Their mean probability."""
    right: float
    """The part of them that is right."""


def reliability(probability: Floats, right: Bools, *, bins: int = 10) -> list[Bin]:
    """The reliability diagram's points, empty bins left out. Bins are of equal width, closed above, 0 in the first
    (Guo et al. 2017, "On calibration of modern neural networks", section 2). Raises ResearchError where a probability
    is none."""
    if len(probability) and (probability.min() < 0 or probability.max() > 1):
        raise ResearchError("probabilities lie between 0 and 1")
    which = np.clip(np.ceil(probability * bins).astype(int) - 1, 0, bins - 1)
    inside = [which == i for i in range(bins)]
    return [Bin(int(m.sum()), float(probability[m].mean()), float(right[m].mean())) for m in inside if m.any()]


def calibration_error(points: Sequence[Bin]) -> float:
    """Expected calibration error: mean distance of probability and share right, bins weighted by their counts
    (Naeini et al. 2015; Guo et al. 2017, equation 3)."""
    total = sum(b.count for b in points)
    return sum(b.count * abs(b.probability - b.right) for b in points) / total if total else np.nan


def corner_error(H: Floats, H_true: Floats, size: tuple[int, int]) -> float:
    """Mean distance in photo pixels of the picture's four corners under both homographies (DeTone et al. 2018,
    "SuperPoint", section 4.3; the thresholds 3, 5 and 10 are the convention on HPatches, Balntas et al. 2017).
    H, H_true: (3, 3) picture to photo; size: width and height of the picture. inf where a corner goes to
    infinity or behind the camera."""
    width, height = size
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]], np.float64)
    seen = []
    for matrix in (H, H_true):
        points = corners @ matrix.T
        centre = matrix @ np.array([(width - 1) / 2, (height - 1) / 2, 1])
        depth = points[:, 2] * np.sign(centre[2])
        if not np.isfinite(points).all() or (depth <= 1e-12).any():
            return np.inf
        seen.append(points[:, :2] / points[:, 2:])
    return float(np.linalg.norm(seen[0] - seen[1], axis=1).mean())


def resampled(objects: Sequence[str], *, resamples: int = RESAMPLES, seed: int = SEED) -> Ints:
    """(R, N): how often each photo is drawn in each resample. Objects are drawn with replacement, as many as
    there are, and bring all of their photos (cluster bootstrap; Davison & Hinkley 1997, section 3.8): photos of
    one object are not independent."""
    if not len(objects):
        return np.zeros((resamples, 0), np.int64)
    _, group = np.unique(np.array(objects, dtype=object).astype(str), return_inverse=True)
    count = int(group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.asarray(drawn[:, group], np.int64)


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of resampled figures (percentile bootstrap; Efron & Tibshirani 1993, chapter 13); resamples
    without the figure are left out; NaN where none has it."""
    known = np.sort(values[~np.isnan(values)])
    return (quantile(known, 0.025), quantile(known, 0.975)) if len(known) else (np.nan, np.nan)


def mcnemar(a: Bools, b: Bools) -> tuple[int, int, float]:
    """Photos that only a has right, that only b has right, and the two-sided probability of so uneven a division
    by chance (McNemar 1947, exact binomial form; 1 where they never differ). a, b: (N,) of the same photos."""
    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    if not only_a + only_b:
        return 0, 0, 1.0
    return only_a, only_b, float(binomtest(only_a, only_a + only_b, 0.5).pvalue)
