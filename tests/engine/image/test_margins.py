"""Plain margins around a picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.image import encode_jpeg, trim_margins
from tests.support.drawn import flat, poster
from tests.support.made_images import pixels


def framed(picture: np.ndarray, left: int, top: int, right: int, bottom: int, colour: int = 255) -> np.ndarray:
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(colour,) * 3)


def busy(width: int = 120, height: int = 160) -> np.ndarray:
    """A picture with no plain margin."""
    return np.random.default_rng(0).integers(0, 200, (height, width, 3), np.uint8)


class TestTrimMargins:
    def test_none(self) -> None:
        """A picture without margins stays whole."""
        assert trim_margins(busy()) == (0, 0, 120, 160)

    @pytest.mark.parametrize("colour", [0, 255])
    def test_margins(self, colour: int) -> None:
        """Plain margins of any colour and width go, to the pixel."""
        image = framed(np.maximum(busy(), 20), 10, 20, 30, 5, colour)
        assert trim_margins(image) == (10, 20, 130, 180)

    def test_one_side(self) -> None:
        """A margin on one side only goes too."""
        assert trim_margins(framed(busy(), 15, 0, 0, 0)) == (15, 0, 135, 160)

    def test_noise_in_the_margin(self) -> None:
        """A few grey levels of noise, as JPEG leaves, make no picture."""
        image = framed(busy(), 16, 16, 16, 16, 250).astype(np.int16)
        noise = np.random.default_rng(1).integers(-2, 3, image.shape)
        assert trim_margins(np.clip(image + noise, 0, 255).astype(np.uint8)) == (16, 16, 136, 176)

    def test_featureless(self) -> None:
        """A plain picture stays whole."""
        assert trim_margins(flat(90)) == (0, 0, 90, 90)

    def test_at_most_a_third(self) -> None:
        """A small picture on a large sheet keeps the middle third of it at least."""
        sheet = np.full((300, 300, 3), 255, np.uint8)
        sheet[10:20, 10:20] = 0
        left, top, right, bottom = trim_margins(sheet)
        assert (right - left, bottom - top) >= (100, 100)
        assert left <= 10
        assert top <= 10

    def test_after_jpeg(self) -> None:
        """A framed poster from a JPEG loses its frame, up to the ringing of one block of colour."""
        found = pixels(encode_jpeg(framed(poster(5), 40, 40, 40, 40), quality=85))
        left, top, right, bottom = trim_margins(found)
        assert np.abs(np.array([left - 40, top - 40, right - 400, bottom - 520])).max() <= 16
