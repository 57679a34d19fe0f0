"""What the stages derive from a described photo."""

from __future__ import annotations

import numpy as np

from engine.describe.features import LocalFeatures
from engine.describe.keypoints import Keypoints
from engine.describe.query import Query
from engine.describe.vocabulary import (
    Vocabulary,
)


def unit(count: int, seed: int = 0, dimension: int = 64) -> np.ndarray:
    points = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


class TestGlobalVectors:
    def test_of_windows(self, vocabulary: Vocabulary) -> None:
        """A photo's queries are its own descriptor and those of the windows that hold enough keypoints."""
        rng = np.random.default_rng(0)
        xy = np.concatenate([rng.uniform(0, [200, 100], (60, 2)), rng.uniform([600, 440], [640, 480], (30, 2))])
        points, one = unit(90), np.ones(90, np.float32)
        features = LocalFeatures(Keypoints(xy.astype(np.float32), one, one, one), points, (640, 480))
        whole = vocabulary.global_descriptor(points)
        assert (Query(features, vocabulary).global_vectors == whole).all()
        found = Query(features, vocabulary, windows=True, min_keypoints=25).global_vectors
        # The sixty lie in the windows at the top left, few of them in those further in; the thirty in the last one.
        assert np.allclose(found[0], whole, atol=1e-5)
        assert np.allclose(found[1], vocabulary.global_descriptor(points[:60]), atol=1e-5)
        assert np.allclose(found[-1], vocabulary.global_descriptor(points[60:]), atol=1e-5)
        assert 3 <= len(found) < 10
        none = LocalFeatures(features.keypoints.take(np.arange(0)), points[:0], (640, 480))
        assert (Query(none, vocabulary, windows=True, min_keypoints=25).global_vectors == 0).all()
