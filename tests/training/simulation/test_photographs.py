"""Simulated photos: what they look like, and that the picture lies where the warp says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.support.training_pictures import FOLDS, NONE, WAVES, drawn, some_warp
from training.simulation.photographs import render, simulate
from training.simulation.warp import Warp


class TestSimulate:
    def test_photo(self) -> None:
        """A photo is an RGB image of 320 to 720 pixels, and differs from one draw to the next."""
        rng = np.random.default_rng(0)
        photos = [simulate(drawn(1), [drawn(2)], rng) for _ in range(6)]
        for image, warp in photos:
            assert image.dtype == np.uint8
            assert image.shape[2] == 3
            assert 320 <= max(image.shape[:2]) <= 720
            assert warp.size == (240, 320)
        assert len({image.tobytes() for image, _ in photos}) == 6

    def test_same_seed_same_photo(self) -> None:
        """The same seed gives the same photo."""
        a, b = (simulate(drawn(1), [drawn(2)], np.random.default_rng(5))[0] for _ in range(2))
        assert (a == b).all()

    @pytest.mark.parametrize(("bend", "uneven"), [(0.0, NONE), (0.8, NONE), (0.0, WAVES), (0.5, FOLDS)])
    def test_the_picture_lies_where_the_warp_says(self, bend: float, uneven: tuple[np.ndarray, np.ndarray]) -> None:
        """Photo pixels of the picture have the colour of the picture's pixel that the warp names; others that of
        the background."""
        warp, background = some_warp(3, bend=bend, uneven=uneven), np.full((400, 480, 3), (10, 200, 30), np.uint8)
        picture = cv2.GaussianBlur(drawn(1), (0, 0), 3)
        photo = render(picture, background, warp)
        grid = np.stack(np.meshgrid(np.arange(480), np.arange(400)), -1).reshape(-1, 2).astype(np.float32)
        with np.errstate(invalid="ignore"):
            source = warp.photo_to_picture(grid)
            inside = ((source > [3, 3]) & (source < [236, 316])).all(1)
            outside = ~((source > [-3, -3]) & (source < [243, 323])).all(1)
        assert inside.sum() > 5000
        assert outside.sum() > 5000
        x, y = (np.nan_to_num(a).reshape(400, 480).astype(np.float32) for a in source.T)
        expected = cv2.remap(picture, x, y, cv2.INTER_LINEAR).reshape(-1, 3)[inside]
        assert np.abs(photo.reshape(-1, 3)[inside].astype(float) - expected).mean() < 4
        assert (photo.reshape(-1, 3)[outside] == (10, 200, 30)).all()

    def test_nothing_in_sight(self) -> None:
        """A picture that lies outside the frame leaves the background as it is."""
        away = Warp(np.array([[1.0, 0, 5], [0, 1, 5], [0, 0, 1]]), 1.2, (240, 320))
        background = np.full((64, 64, 3), 9, np.uint8)
        assert (render(drawn(1), background, away) == background).all()

    def test_without_other_pictures(self) -> None:
        """Without other pictures the background is plain."""
        assert simulate(drawn(1), [], np.random.default_rng(1))[0].ndim == 3
