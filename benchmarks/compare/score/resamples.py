"""Figures of resampled photos: what intervals and paired differences are made of."""

from __future__ import annotations

import numpy as np

from benchmarks.compare.score import metrics
from benchmarks.compare.score.figures import Figure
from benchmarks.compare.score.judging import Judged
from benchmarks.compare.score.metrics import Floats


class Resamples:
    """Figures of resampled photos, each computed once. The draws depend on the photos' objects alone: two methods on
    the same photos are drawn alike, and their differences are paired."""

    def __init__(self) -> None:
        self._weights: dict[tuple[str, ...], metrics.Ints] = {}
        self._values: dict[tuple[str, tuple[tuple[str, str], ...], str], Floats] = {}

    def values(self, judged: Judged, figure: Figure) -> Floats:
        """(R,): the figure of each resample."""
        key = judged.method, judged.photos, figure.key
        if key not in self._values:
            if judged.objects not in self._weights:
                self._weights[judged.objects] = metrics.resampled(judged.objects)
            weights = self._weights[judged.objects]
            self._values[key] = np.array([figure.statistic(judged, w) for w in weights])
        return self._values[key]
