"""The engine's drawn posters as clients send them: files of pictures, and of photos of them."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from tests.support import drawn
from tests.support.drawn import encoded, poster

TO_PHOTO = np.array([[0.9, 0.1, 60.0], [-0.08, 0.95, 70.0], [1e-4, 5e-5, 1.0]])
"""Maps a picture's pixels to those of its photo."""


@functools.cache
def photo_of(seed: int) -> bytes:
    """JPEG of the poster, seen a little from the side on a grey table."""
    return encoded(cv2.warpPerspective(poster(seed), TO_PHOTO, (520, 640), borderValue=(100, 110, 90)), ".jpg")


@functools.cache
def picture(seed: int) -> bytes:
    """The poster itself as JPEG."""
    return encoded(poster(seed), ".jpg")


@functools.cache
def flat(side: int = 200) -> bytes:
    """A PNG of one colour: no features."""
    return encoded(drawn.flat(side), ".png")
