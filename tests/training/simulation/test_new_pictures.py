"""New pictures from old ones, and look-alikes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.training_pictures import drawn
from training.simulation.new_pictures import SMALLEST, look_alike, new_picture, other_colours, overprint


class TestNewPictures:
    def test_new_ones(self) -> None:
        """Each draw is another picture, never larger than the old one, which stays as it is; the same for a seed."""
        old, others, rng = drawn(1), [drawn(2), drawn(3, width=100, height=60)], np.random.default_rng(0)
        kept = old.copy()
        made = [new_picture(old, others, rng) for _ in range(30)]
        assert (old == kept).all()
        assert len({picture.tobytes() for picture in made}) == 30
        assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in made)
        assert all(picture.shape <= old.shape and min(picture.shape[:2]) >= SMALLEST for picture in made)
        again = new_picture(old, others, np.random.default_rng(0))
        assert (again == made[0]).all()

    def test_look_alikes(self) -> None:
        """A look-alike has the size of its original and differs from it; an overprint leaves most of it alone."""
        old, rng = drawn(1), np.random.default_rng(1)
        for _ in range(20):
            like = look_alike(old, rng)
            assert like.shape == old.shape
            assert (like != old).any()
        same = [(overprint(old, rng) == old).all(2).mean() for _ in range(20)]
        assert np.median(same) > 0.5

    def test_other_colours(self) -> None:
        """Other colours are the old channels, exchanged and inverted."""
        old = drawn(1)
        channels = {one.tobytes() for k in range(3) for one in (old[..., k].copy(), 255 - old[..., k])}
        for seed in range(10):
            changed = other_colours(old, np.random.default_rng(seed))
            assert {changed[..., k].copy().tobytes() for k in range(3)} <= channels

    @pytest.mark.parametrize("side", [32, 40])
    def test_tiny(self, side: int) -> None:
        """The smallest pictures that are read (32 pixels) do not fail."""
        tiny = np.full((side, side, 3), 100, np.uint8)
        for seed in range(12):
            assert new_picture(tiny, [], np.random.default_rng(seed)).size
