"""Any ONNX image network as a list: one vector of each picture, several views of the photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.shortlists.ordering import best
from engine.full_image.model import FullImageModel, best_view
from engine.values import Array, ColorImage, FloatArray


class FullImage:
    """Every picture is compared; scores are cosines of the photo's best view."""

    def __init__(self, model: str) -> None:
        """Raises ModelError where the file or its card cannot be used."""
        self._model = FullImageModel(Path(model))
        self.kind = f"full-image-{self._model.fingerprint}"
        self._vectors = np.zeros((0, self._model.dimension), np.float32)

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:
        return {"vectors": self._model.describe(image) if photo else self._model.describe_picture(image)}

    def build(self, pictures: Sequence[Arrays]) -> None:
        self._vectors = np.concatenate([p["vectors"] for p in pictures])

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        return best(best_view(photo["vectors"], self._vectors), k)

    def bytes_per_picture(self) -> float:
        return float(4 * self._model.dimension)
