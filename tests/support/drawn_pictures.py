"""Pictures drawn with a fixed seed, and photos of them: no photograph is needed to test a server."""

from __future__ import annotations

import functools

import cv2
import numpy as np


@functools.cache
def drawn(seed: int, *, width: int = 360, height: int = 480) -> np.ndarray:
    """(H, W, 3) uint8: shapes and letters, different for each seed."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(60, 255, 3), np.uint8)
    for _ in range(110):
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        x, y = (int(v) for v in rng.integers(0, [width, height]))
        kind = rng.integers(0, 3)
        if kind == 0:
            cv2.rectangle(image, (x, y), (x + int(rng.integers(8, 70)), y + int(rng.integers(8, 70))), colour, -1)
        elif kind == 1:
            cv2.circle(image, (x, y), int(rng.integers(4, 35)), colour, -1)
        else:
            text = "".join(chr(int(c)) for c in rng.integers(65, 91, 5))
            cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.5, 1.6)), colour, 2)
    return image


TO_PHOTO = np.array([[0.9, 0.1, 60.0], [-0.08, 0.95, 70.0], [1e-4, 5e-5, 1.0]])
"""Maps a picture's pixels to those of its photo."""


@functools.cache
def photo_of(seed: int) -> bytes:
    """JPEG of the picture, seen a little from the side on a grey table."""
    image = cv2.warpPerspective(drawn(seed), TO_PHOTO, (520, 640), borderValue=(90, 110, 100))
    return encoded(image)


@functools.cache
def picture(seed: int) -> bytes:
    """The picture itself as JPEG."""
    return encoded(drawn(seed))


@functools.cache
def flat(side: int = 200) -> bytes:
    """A PNG of one colour: no features."""
    return encoded(np.full((side, side, 3), 128, np.uint8), ".png")


def encoded(image: np.ndarray, extension: str = ".jpg") -> bytes:
    done, data = cv2.imencode(extension, image)
    assert done
    return data.tobytes()
