"""Pictures drawn with a fixed seed, and where simulated photos show them."""

from __future__ import annotations

import numpy as np

from tests.support.drawn import poster
from training.simulation.warp import Warp, random_warp


def drawn(seed: int, *, width: int = 240, height: int = 320) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a smaller poster, about as full as the engine's. It may be written to, as PyTorch wants its
    arrays."""
    return poster(seed, width=width, height=height, shapes=60).copy()


NONE = (np.zeros((0, 4)), np.zeros((0, 3)))
WAVES = (np.array([[0.4, 3.0, 1.0, 0.03], [2.0, 5.0, 0.0, 0.02]]), np.zeros((0, 3)))
FOLDS = (np.zeros((0, 4)), np.array([[0.3, -0.1, 0.3], [3.5, 0.2, 0.2]]))


def some_warp(seed: int, *, bend: float = 0.0, uneven: tuple[np.ndarray, np.ndarray] = NONE) -> Warp:
    made = random_warp(np.random.default_rng(seed), picture_size=(240, 320), photo_size=(480, 400), strength=0.6)
    return Warp(made.H_photo_to_plane, bend, made.size, *uneven)
