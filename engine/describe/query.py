"""What a photo is searched and verified with, made once for each look at it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from engine.describe.features import LocalFeatures
from engine.describe.vocabulary import Vocabulary
from engine.values import Array, FloatArray

_WINDOW = 0.6
_WINDOW_STARTS = (0.0, 0.2, 0.4)
"""Windows of the closer look, in shares of the photo's sides: nine that overlap by a third or more."""


class Query:
    """A described photo of N keypoints, and all that the stages derive from its descriptors.

    Each derived value is computed when a stage first asks for it and kept for the next. A query belongs to the
    thread that made it: other threads may read values that it has already computed.
    """

    def __init__(
        self, features: LocalFeatures, vocabulary: Vocabulary, *, windows: bool = False, min_keypoints: int = 1
    ) -> None:
        """windows: the global descriptor is also taken of nine windows of the photo, but for those with fewer than
        `min_keypoints` keypoints."""
        self.features, self.vocabulary = features, vocabulary
        self.windows, self._min_keypoints = windows, min_keypoints
        self._words: dict[tuple[int, int], Array] = {}

    @cached_property
    def signatures(self) -> Array:
        """(N,) uint64."""
        return self.vocabulary.signatures(self.features.descriptors)

    @cached_property
    def centred(self) -> FloatArray:
        """(N, D) float32 unit vectors of the descriptors less their median: what signatures are the signs of."""
        centred = self.features.descriptors - self.vocabulary.medians
        centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
        return centred.astype(np.float32)

    @cached_property
    def global_vectors(self) -> FloatArray:
        """(Q, G) float32 on the unit sphere: the global descriptor of the photo, then those of its windows."""
        features, vocabulary = self.features, self.vocabulary
        if not self.windows or not len(features.descriptors):
            return vocabulary.global_descriptor(features.descriptors)[None]
        seen = [features.descriptors]
        for x in _WINDOW_STARTS:
            for y in _WINDOW_STARTS:
                at = features.keypoints.xy / features.size - [x, y]
                inside = ((at >= 0) & (at <= _WINDOW)).all(1)
                if inside.sum() >= self._min_keypoints:
                    seen.append(features.descriptors[inside])
        return vocabulary.project(np.stack([vocabulary.vlad(descriptors) for descriptors in seen]))

    def words(self, *, half_bits: int, count: int) -> Array:
        """(N, count) int32: each keypoint's nearest words of 2 x `half_bits` bits, nearest first."""
        key = (half_bits, count)
        if key not in self._words:
            descriptors = self.features.descriptors
            self._words[key] = self.vocabulary.nearest_words(descriptors, half_bits=half_bits, count=count)
        return self._words[key]
