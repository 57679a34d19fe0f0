"""An image at another size."""

from __future__ import annotations

import numpy as np

from engine.image import resize_long_side, to_gray
from tests.support.drawn import poster

GRAY = to_gray(poster(3))


class TestLongSide:
    def test_long_side(self) -> None:
        """The longer side has the length that was asked for, the shorter one follows."""
        assert resize_long_side(poster(3), 240).shape == (240, 180, 3)
        assert resize_long_side(poster(3), 960).shape == (960, 720, 3)
        assert resize_long_side(GRAY, 480) is GRAY

    def test_a_thread_stays_a_pixel_wide(self) -> None:
        """The shorter side never becomes nothing."""
        assert resize_long_side(np.zeros((2, 4000), np.uint8), 100).shape == (1, 100)
