"""The level of a picture: how easily it will be recognised."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.describe.keypoints import Keypoints
from engine.enrol.quality import LEVEL_STEPS, level_of, quality
from engine.recognizer import Recognizer
from tests.support.drawn import encoded, poster


def spread_over(share: float, count: int = 400) -> Keypoints:
    """Keypoints in the left `share` of a 480 x 480 picture."""
    rng = np.random.default_rng(0)
    one = np.ones(count, np.float32)
    xy = rng.uniform(0, 479.9, (count, 2)) * [share, 1]
    return Keypoints(xy.astype(np.float32), one, one, one)


def words(count: int, kinds: int) -> np.ndarray:
    return (np.arange(count) % kinds * 104_729 % 2**20).astype(np.uint32)


class TestQuality:
    def test_none(self) -> None:
        """No keypoints have no quality."""
        assert quality(spread_over(1, 0), words(0, 1), (480, 480)) == 0

    def test_range(self) -> None:
        """It lies in 0 to 1, and 1 is a picture full of keypoints that all differ."""
        assert 0.9 < quality(spread_over(1), words(400, 400), (480, 480)) <= 1
        for count in (1, 20, 400):
            for kinds in (1, 10, 400):
                assert 0 <= quality(spread_over(0.3, count), words(count, kinds), (480, 480)) <= 1

    def test_spread(self) -> None:
        """Keypoints all over the picture are better than in one half of it."""
        values = [quality(spread_over(share), words(400, 400), (480, 480)) for share in (0.1, 0.5, 1)]
        assert values == sorted(values)

    def test_number(self) -> None:
        """More keypoints are better."""
        values = [quality(spread_over(1, n), words(n, n), (480, 480)) for n in (20, 100, 400)]
        assert values == sorted(values)

    def test_distinctiveness(self) -> None:
        """Keypoints that all look alike are worth nothing."""
        assert quality(spread_over(1), words(400, 2), (480, 480)) == 0

    def test_keypoint_on_the_border(self) -> None:
        """A keypoint on the last pixel belongs to the last cell."""
        one = np.ones(1, np.float32)
        corner = Keypoints(np.array([[480, 480]], np.float32), one, one, one)
        assert 0 < quality(corner, words(1, 1), (480, 480)) < 1


class TestLevel:
    def test_steps(self) -> None:
        """Levels go from 1 to 5, and each begins at its step."""
        assert [level_of(v) for v in (0, *LEVEL_STEPS, 1)] == [1, 2, 3, 4, 5, 5]
        assert [level_of(v - 1e-6) for v in LEVEL_STEPS] == [1, 2, 3, 4]

    def test_a_rich_poster_and_a_poor_one(self, posters: Recognizer) -> None:
        """A poster full of shapes has a high level, a blurred corner of it a low one."""
        poor = np.full((480, 360, 3), 200, np.uint8)
        poor[100:220, 100:220] = cv2.GaussianBlur(poster(1)[100:220, 100:220], (0, 0), 1)
        poor[0, 0] = poor[-1, -1] = 0
        rich_level, poor_level = (posters.describe(encoded(p, ".png")).level for p in (poster(1), poor))
        assert rich_level >= 4
        assert poor_level <= rich_level - 1

    @pytest.mark.parametrize("seed", range(5))
    def test_stored(self, posters: Recognizer, seed: int) -> None:
        """Every picture carries its level."""
        assert 1 <= posters.get("posters", f"poster.{seed}").level <= 5
