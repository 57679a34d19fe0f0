"""Pictures drawn with a fixed seed, and where simulated photos show them."""

from __future__ import annotations

import cv2
import numpy as np

from training.simulation.warp import Warp, random_warp


def drawn(seed: int, *, width: int = 240, height: int = 320) -> np.ndarray:
    """RGB shapes and letters."""
    rng = np.random.default_rng([29, seed])
    image = np.full((height, width, 3), rng.integers(80, 255, 3), np.uint8)
    for _ in range(80):
        x, y, size = (int(v) for v in rng.integers([0, 0, 5], [width, height, 45]))
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        kind = rng.integers(0, 3)
        if kind == 0:
            cv2.rectangle(image, (x, y), (x + size, y + size // 2), colour, -1)
        elif kind == 1:
            cv2.ellipse(image, (x, y), (size, size // 2 + 2), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            cv2.putText(image, chr(int(rng.integers(65, 91))), (x, y), cv2.FONT_HERSHEY_DUPLEX, size / 18, colour, 2)
    return image


NONE = (np.zeros((0, 4)), np.zeros((0, 3)))
WAVES = (np.array([[0.4, 3.0, 1.0, 0.03], [2.0, 5.0, 0.0, 0.02]]), np.zeros((0, 3)))
FOLDS = (np.zeros((0, 4)), np.array([[0.3, -0.1, 0.3], [3.5, 0.2, 0.2]]))


def some_warp(seed: int, *, bend: float = 0.0, uneven: tuple[np.ndarray, np.ndarray] = NONE) -> Warp:
    made = random_warp(np.random.default_rng(seed), picture_size=(240, 320), photo_size=(480, 400), strength=0.6)
    return Warp(made.H_photo_to_plane, bend, made.size, *uneven)
