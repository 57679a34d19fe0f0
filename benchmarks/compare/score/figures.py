"""The table of figures: what each is called, how it is defined, who defined it, and how it is computed.

The report prints the table and results.json carries the keys; a figure that a method cannot have is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.compare.score import metrics
from benchmarks.compare.score.judging import Judged
from benchmarks.compare.score.metrics import Ints

TOLERATED = 0.005
"""Share of all photos that may be answered wrongly where methods are compared at equal error."""
DEPTHS = (1, 10, 100, 500, 1500)
"""Depths at which the shortlist's recall is a figure."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of the comparison."""

    key: str
    """What it is called in results.json."""
    title: str
    """What its column is called."""
    definition: str
    """What it is, as the report tells it."""
    source: str
    """Who defined it."""
    statistic: Callable[[Judged, Ints | None], float]
    """Computes it of a Judged, each photo counted by its weight; None: each once."""
    unit: str = "share"
    """One of "share", "pixels" and "ms"."""
    higher: bool = True
    """Whether more is better."""
    depth: int | None = None
    """Depth of the list that it looks at; None: it looks at no list."""


def error_threshold(judged: Judged) -> float:
    """Least score that answers at most TOLERATED of the fit half's photos wrongly, positive or not; inf where no
    score does."""
    found = judged.fit & np.isfinite(judged.first_score)
    allowed = TOLERATED * np.count_nonzero(judged.fit)
    return metrics.threshold_for_errors(judged.first_score[found], judged.first_right[found], allowed)


def at_equal_error(judged: Judged, weights: Ints | None = None) -> float:
    """Recall of the report half at the threshold of the fit half; NaN where either half has no photo."""
    if not judged.fit.any():
        return np.nan
    answered = judged.first_score >= error_threshold(judged)
    return metrics.share(judged.first_right & answered, judged.positive & ~judged.fit, weights)


def errors_at_equal_error(judged: Judged) -> float:
    """Share of the report half's photos that are then answered wrongly."""
    answered = judged.first_score >= error_threshold(judged)
    return metrics.share(~judged.first_right & answered & np.isfinite(judged.first_score), ~judged.fit)


def _listed(depth: int) -> Callable[[Judged, Ints | None], float]:
    def statistic(judged: Judged, weights: Ints | None) -> float:
        if np.isnan(judged.listed_rank).any():
            return np.nan
        return metrics.share(judged.listed_rank <= depth, judged.positive, weights)

    return statistic


def _ranked(depth: int) -> Callable[[Judged, Ints | None], float]:
    return lambda judged, weights: metrics.share(judged.final_rank <= depth, judged.positive, weights)


def _answered(judged: Judged, weights: Ints | None) -> float:
    return metrics.share(judged.accepted_right, judged.positive, weights) if judged.answers else np.nan


def _wrong(judged: Judged, weights: Ints | None) -> float:
    return metrics.share(judged.accepted_wrong, judged.positive, weights) if judged.answers else np.nan


def _false(*, hard: bool) -> Callable[[Judged, Ints | None], float]:
    def statistic(judged: Judged, weights: Ints | None) -> float:
        counted = ~judged.positive & (judged.hard if hard else ~judged.hard)
        return metrics.share(judged.accepted_wrong, counted, weights) if judged.answers else np.nan

    return statistic


def _positives(judged: Judged, weights: Ints | None) -> float:
    return float(np.count_nonzero(judged.positive) if weights is None else weights[judged.positive].sum())


def _micro_ap(judged: Judged, weights: Ints | None) -> float:
    found = np.isfinite(judged.first_score)
    drawn = None if weights is None else weights[found]
    return metrics.micro_ap(judged.first_score[found], judged.first_right[found], _positives(judged, weights), drawn)


def _at_precision(judged: Judged, weights: Ints | None) -> float:
    found = np.isfinite(judged.first_score)
    drawn = None if weights is None else weights[found]
    return metrics.recall_at_precision(
        judged.first_score[found], judged.first_right[found], _positives(judged, weights), weights=drawn
    )


def _pairs(rate: float) -> Callable[[Judged, Ints | None], float]:
    def statistic(judged: Judged, weights: Ints | None) -> float:
        w = np.ones(len(judged), np.int64) if weights is None else weights
        rights, wrongs = float(w @ judged.rights), float(w @ judged.wrongs)
        drawn = None if weights is None else weights[judged.pair_photo]
        return metrics.tpr_at_fpr(judged.pair_score, judged.pair_right, rights, wrongs, fpr=rate, weights=drawn)

    return statistic


def reliability_of(judged: Judged, weights: Ints | None = None) -> list[metrics.Bin]:
    """The reliability diagram of the photos' first pictures; one that was not verified has a score below 0 and claims
    nothing. Empty for a method whose score is no probability. Raises ResearchError where a score is above 100."""
    if not judged.probability:
        return []
    found = np.isfinite(judged.first_score)
    times = found.astype(np.int64) if weights is None else weights * found
    drawn = np.repeat(np.arange(len(judged)), times)
    return metrics.reliability(np.maximum(judged.first_score[drawn], 0) / 100, judged.first_right[drawn])


def _calibration(judged: Judged, weights: Ints | None) -> float:
    return metrics.calibration_error(reliability_of(judged, weights))


def _corner_median(judged: Judged, weights: Ints | None) -> float:
    known = ~np.isnan(judged.corner_pixels)
    return metrics.quantile(judged.corner_pixels[known], 0.5, None if weights is None else weights[known])


def _corners_within(pixels: float) -> Callable[[Judged, Ints | None], float]:
    return lambda judged, weights: metrics.share(
        judged.corner_pixels < pixels, ~np.isnan(judged.corner_pixels), weights
    )


def _milliseconds(q: float) -> Callable[[Judged, Ints | None], float]:
    def statistic(judged: Judged, weights: Ints | None) -> float:
        known = ~np.isnan(judged.ms)
        return metrics.quantile(judged.ms[known], q, None if weights is None else weights[known])

    return statistic


FIGURES: tuple[Figure, ...] = (
    Figure(
        key="recall_at_1", title="recall@1", statistic=_answered,
        definition="Photos of gallery pictures that are answered with the right picture: ranked first and at or above "
        "the method's own threshold. End to end: what a user sees. Methods without a threshold have none.",
        source="Jegou et al. 2011, recall@R; the acceptance is ours",
    ),
    Figure(
        key="ranked_first", title="ranked first", statistic=_ranked(1),
        definition="Photos of gallery pictures whose right picture stands first in the final ranking, answered or not.",
        source="recall@1 of Jegou et al. 2011, accuracy@1 of Pizzi et al. 2022",
    ),
    Figure(
        key="ranked_10", title="in first 10", statistic=_ranked(10),
        definition="The same for the first ten of the final ranking.", source="as before",
    ),
    *(
        Figure(
            key=f"shortlist_{k}", title=f"shortlist@{k}", statistic=_listed(k), depth=k,
            definition=f"Photos of gallery pictures whose right picture is among the first {k:,} of the shortlist, "
            "before any ranking by geometry or verification: the most that the stages behind it can reach.",
            source="recall@R of Jegou et al. 2011",
        )
        for k in DEPTHS
    ),
    Figure(
        key="micro_ap", title="µAP", statistic=_micro_ap,
        definition="Micro average precision: the best picture of every photo, of all photos pooled, sorted by score; "
        "mean of the precision at the places of the right ones over all photos of gallery pictures.",
        source="Perronnin et al. 2009; Douze et al. 2021 (ISC2021)",
    ),
    Figure(
        key="recall_at_p90", title="recall@P90", statistic=_at_precision,
        definition="Most photos answered rightly at one threshold for all with at least nine right answers in ten.",
        source="Douze et al. 2021 (ISC2021)",
    ),
    Figure(
        key="recall_at_half_percent", title="recall at 0.5 % errors", statistic=at_equal_error,
        definition="Recall where every method may err equally often: the score from which on at most 0.5 % of all "
        "photos (wrong answers and false accepts) are answered wrongly is chosen on one half of the objects and "
        "applied to the other half, which is reported. With fewer than 200 photos in the first, none may be wrong.",
        source="ours; halves by a hash of the object's name",
    ),
    Figure(
        key="tpr_at_fpr_1", title="TPR@FPR 1 %", statistic=_pairs(0.01),
        definition="Of all pairs of a photo and a right picture, those that score above 99 % of all other "
        "photo-picture pairs. Pairs that a method did not list count as lower than any.",
        source="Fawcett 2006",
    ),
    Figure(
        key="tpr_at_fpr_01", title="TPR@FPR 0.1 %", statistic=_pairs(0.001),
        definition="The same above 99.9 % of the other pairs.", source="Fawcett 2006",
    ),
    Figure(
        key="wrong", title="wrong", statistic=_wrong, higher=False,
        definition="Photos of gallery pictures that are answered with another picture.", source="ours",
    ),
    Figure(
        key="false_accepts_easy", title="false, easy", statistic=_false(hard=False), higher=False,
        definition="Photos of nothing in the gallery that are answered, and share no printed part with a picture.",
        source="false match rate of ISO/IEC 19795-1, per photo",
    ),
    Figure(
        key="false_accepts_hard", title="false, hard", statistic=_false(hard=True), higher=False,
        definition="Photos of nothing in the gallery that are answered, and look like a picture of it or share printed "
        "parts with one (hard_negatives.csv).",
        source="as before",
    ),
    Figure(
        key="calibration_error", title="ECE", statistic=_calibration, higher=False,
        definition="Expected calibration error of the match ratio read as a probability: mean distance of the stated "
        "ratio and the share that is right, over ten bins.",
        source="Naeini et al. 2015; Guo et al. 2017",
    ),
    Figure(
        key="corner_median", title="corner error", statistic=_corner_median, unit="pixels", higher=False,
        definition="Median over photos with a known homography of the mean distance of the picture's corners under the "
        "found and the true one, in pixels of the photo; infinite where none or a wrong picture was found.",
        source="DeTone et al. 2018; Balntas et al. 2017 (HPatches)",
    ),
    *(
        Figure(
            key=f"corner_within_{p}", title=f"corners < {p} px", statistic=_corners_within(p),
            definition=f"Share of these photos with a corner error below {p} pixels.",
            source="DeTone et al. 2018; Balntas et al. 2017 (HPatches)",
        )
        for p in (3, 5, 10)
    ),
    Figure(
        key="ms_p50", title="ms", statistic=_milliseconds(0.5), unit="ms", higher=False,
        definition="Median milliseconds per photo, from the file's bytes to the ranking, one photo at a time.",
        source="ours",
    ),
    Figure(
        key="ms_p95", title="ms p95", statistic=_milliseconds(0.95), unit="ms", higher=False,
        definition="The time within which 95 % of the photos are done.", source="ours",
    ),
)  # fmt: skip
