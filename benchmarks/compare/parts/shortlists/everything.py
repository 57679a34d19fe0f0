"""Every picture is a candidate: what the ceilings start from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from engine.values import Array, ColorImage, FloatArray


class Everything:
    """A list that names all pictures alike, in the order in which they were added."""

    kind = "everything"

    def __init__(self) -> None:
        self._count = 0

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:  # noqa: ARG002  # nothing is read
        return {}

    def build(self, pictures: Sequence[Arrays]) -> None:
        self._count = len(pictures)

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:  # noqa: ARG002
        count = min(k, self._count)
        return np.arange(count), np.zeros(count, np.float32)

    def bytes_per_picture(self) -> float:
        return 0.0
