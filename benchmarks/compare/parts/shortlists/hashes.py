"""Lists by Hamming distance between short codes: what the perceptual hashes share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.shortlists.ordering import best
from engine.values import Array, FloatArray


class HammingIndex:
    """Codes (N, B) uint8; a score is the number of bits that agree, 0 to 8 B."""

    def __init__(self, width: int) -> None:
        self._codes = np.zeros((0, width), np.uint8)

    def build(self, pictures: Sequence[Arrays]) -> None:
        self._codes = np.stack([p["bits"] for p in pictures])

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        agreeing = np.bitwise_count(~(self._codes ^ photo["bits"])).sum(1)
        return best(agreeing.astype(np.float32), k)

    def bytes_per_picture(self) -> float:
        return float(self._codes.shape[1])
