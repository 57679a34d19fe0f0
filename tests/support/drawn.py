"""Posters drawn with a fixed seed, and photos of them by simulation: no photograph is needed to test the engine."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from engine.image import encode_jpeg
from training.simulation.photographs import simulate
from training.simulation.warp import Warp

POSTERS = 30
"""In the gallery that tests of the engine share, in the channel "posters", as poster.0 to poster.29."""
CLUTTER = 900_000
"""Seeds from here on are drawn as backgrounds only: no test adds them to a gallery."""


@functools.cache
def poster(seed: int, *, width: int = 360, height: int = 480, shapes: int = 120) -> np.ndarray:
    """(H, W, 3) uint8 RGB, read-only: so many shapes and words, different for each seed."""
    rng = np.random.default_rng([7, seed])
    image = np.full((height, width, 3), rng.integers(60, 255, 3), np.uint8)
    for _ in range(shapes):
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        x, y = (int(v) for v in rng.integers(-20, [width, height]))
        kind = rng.integers(0, 4)
        if kind == 0:
            cv2.rectangle(image, (x, y), (x + int(rng.integers(8, 70)), y + int(rng.integers(8, 70))), colour, -1)
        elif kind == 1:
            cv2.circle(image, (x, y), int(rng.integers(4, 35)), colour, -1)
        elif kind == 2:
            corners = np.add(rng.integers(-40, 40, (3, 2)), [x, y])
            cv2.fillPoly(image, [corners.astype(np.int32)], colour)
        else:
            text = "".join(chr(int(c)) for c in rng.integers(65, 91, 5))
            cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.5, 1.6)), colour, 2)
    image.setflags(write=False)
    return image


@dataclass(frozen=True)
class Photo:
    """image: RGB; corners: (4, 2) where the picture's corners lie in it, clockwise from its top left; warp:
    from photo to picture."""

    image: np.ndarray
    corners: np.ndarray
    warp: Warp

    @property
    def jpeg(self) -> bytes:
        return encode_jpeg(self.image, quality=92)


def photo_of(picture: np.ndarray, *, seed: int, strength: float = 0.35) -> Photo:
    """A simulated photo of the picture, on even paper, in front of drawn clutter."""
    rng = np.random.default_rng([11, seed])
    others = [poster(CLUTTER + seed % 5), poster(CLUTTER + 5 + seed % 3)]
    image, warp = simulate(picture, others, rng, strength=strength, uneven=False)
    return Photo(image, corners_of(warp), warp)


def corners_of(warp: Warp) -> np.ndarray:
    """(4, 2) photo pixels of the picture's corners."""
    plane = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], np.float64)
    seen = plane @ np.linalg.inv(warp.H_photo_to_plane).T
    return seen[:, :2] / seen[:, 2:]


H_TILTED = np.array([[1.1, 0.05, 80.0], [-0.04, 1.05, 60.0], [5e-5, 2e-5, 1.0]])
"""From a poster's pixels to those of a photo of it, 560 x 640."""


def tilted(picture: np.ndarray, *, by: np.ndarray = H_TILTED) -> np.ndarray:
    """The picture on a grey table, seen under `by`, with a little blur and noise."""
    image = cv2.warpPerspective(picture, by, (560, 640), borderValue=(110, 100, 90)).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.7) + noise, 0, 255).astype(np.uint8)


def flat(side: int = 200, *, grey: int = 128) -> np.ndarray:
    """A picture of one grey: no features."""
    return np.full((side, side, 3), grey, np.uint8)


def encoded(image: np.ndarray, extension: str, *parameters: int) -> bytes:
    """RGB, grey or RGBA pixels as a file of OpenCV's making."""
    if image.ndim == 3:
        code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        image = cv2.cvtColor(image, code)
    done, data = cv2.imencode(extension, image, list(parameters))
    assert done
    return data.tobytes()
