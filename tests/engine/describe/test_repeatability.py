"""Which keypoints are likely to be found again."""

from __future__ import annotations

import numpy as np
import pytest

from engine.describe.keypoints import Keypoints
from engine.describe.repeatability import FIGURES, NEAR, found_again, keypoint_figures

SIZE = (200, 100)


def some(count: int, seed: int = 0) -> Keypoints:
    rng = np.random.default_rng(seed)
    xy = (rng.random((count, 2)) * SIZE).astype(np.float32)
    scale = (1.2 ** rng.integers(0, 8, count)).astype(np.float32)
    return Keypoints(xy, scale, rng.random(count).astype(np.float32), rng.random(count).astype(np.float32))


class TestFigures:
    def test_by_hand(self) -> None:
        """Three keypoints, two of them on one level and beside each other."""
        xy = np.array([[20, 50], [22, 50], [150, 90]], np.float32)
        scale = np.array([1, 1, 1.2**3], np.float32)
        response = np.array([0.5, 0.1, 0.3], np.float32)
        found = keypoint_figures(Keypoints(xy, scale, np.zeros(3, np.float32), response), SIZE)
        expected = {
            "rank": [1, 0, 0.5],
            "rank_in_level": [1, 0, 0],
            "level": [0, 0, 3],
            "log_response": np.log(response),
            "edge": [0.1, 0.11, 0.1],
            "log_neighbours": np.log([2, 2, 1]),
        }
        assert tuple(expected) == FIGURES
        assert np.allclose(found, np.stack(list(expected.values()), 1), atol=1e-5)

    @pytest.mark.parametrize("count", [0, 1, 400])
    def test_shapes(self, count: int) -> None:
        """One row a keypoint, all numbers finite; no keypoint is no trouble."""
        found = keypoint_figures(some(count), SIZE)
        assert found.shape == (count, len(FIGURES))
        assert found.dtype == np.float32
        assert np.isfinite(found).all()

    def test_neighbours_are_counted_by_the_sides(self) -> None:
        """A neighbour is as near as NEAR of the picture's sides, whatever their lengths."""
        at = NEAR * 0.9
        xy = np.array([[100, 50], [100 + 200 * at, 50], [100, 50 + 100 * at], [100, 50 + 200 * at]], np.float32)
        one = np.ones(4, np.float32)
        found = keypoint_figures(Keypoints(xy, one, one, one), SIZE)
        assert np.round(np.exp(found[:, FIGURES.index("log_neighbours")])).tolist() == [3, 2, 3, 2]


class TestFoundAgain:
    def test_logistic(self) -> None:
        """The probability is the logistic function of the weighted figures; without weights all are alike."""
        points, weights = some(50), np.linspace(-1, 1, 7).astype(np.float32)
        logit = keypoint_figures(points, SIZE) @ weights[:6] + weights[6]
        assert np.allclose(found_again(points, SIZE, weights), 1 / (1 + np.exp(-logit)))
        assert (found_again(points, SIZE, np.zeros(7, np.float32)) == 0.5).all()
