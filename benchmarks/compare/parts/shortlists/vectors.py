"""Lists by inner product of unit vectors: what global descriptors share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.shortlists.ordering import best
from engine.values import Array, FloatArray


def unit(vector: FloatArray) -> FloatArray:
    """The vector as float32 of length 1; zeros stay zeros."""
    scaled: FloatArray = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return scaled.astype(np.float32)


class VectorIndex:
    """Every picture is compared; scores are cosines."""

    def __init__(self) -> None:
        self._vectors = np.zeros((0, 1), np.float32)

    def build(self, pictures: Sequence[Arrays]) -> None:
        self._vectors = np.stack([p["vector"] for p in pictures])

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        return best(self._vectors @ photo["vector"], k)

    def bytes_per_picture(self) -> float:
        return float(4 * self._vectors.shape[1])
