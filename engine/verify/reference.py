"""A kept picture, made ready once to be compared with many photos."""

from __future__ import annotations

import cv2
import numpy as np

from engine.describe.patch_model import PatchModel
from engine.describe.patches import PATCH_SIDE
from engine.values import Array, ByteArray, ColorImage, FloatArray
from engine.verify.cells import CELL, cell_places, cell_spreads

FRAME = 256
"""Longer side of the frame in which picture and photo are compared, pixels."""
PLAIN = 4.0
"""Standard deviation of lightness below which a cell is plain: it would correlate with anything."""


class Reference:
    """A picture in its frame: whatever does not depend on the photo is computed once. Safe for use by many threads."""

    def __init__(self, picture: ColorImage) -> None:
        """picture: (H, W, 3) uint8 RGB."""
        self.picture = picture
        height, width = picture.shape[:2]
        factor = FRAME / max(height, width)
        self.size = (max(CELL, round(width * factor)), max(CELL, round(height * factor)))
        """Width and height of the frame."""
        # The frame is sampled without its half pixel (see `values.resize_matrix`): every cell may move by more.
        self.to_picture = np.diag([width / self.size[0], height / self.size[1], 1.0])
        """3x3, from pixels of the frame to those of the picture."""
        self.lab = to_lab(cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA))
        """(H, W, 3) float32 in 8-bit Lab units."""
        places = cell_places(self.size)
        spreads = cell_spreads(self.lab[..., 0], places).astype(np.float32)
        drawn = spreads >= PLAIN
        self.places, self.contrast = places[drawn], spreads[drawn]
        """(N, 2) int64, left and top of the cells that are not plain; (N,) float32, standard deviations of
        lightness."""
        self._described: tuple[PatchModel, FloatArray] | None = None

    def describe(self, model: PatchModel) -> FloatArray:
        """(2, N, D) float32 descriptors of the cells, and of twice their size around them."""
        described = self._described
        if described is None or described[0] is not model:
            described = model, describe_cells(self.lab, self.places, model)
            self._described = described
        return described[1]


def to_lab(image: ColorImage) -> FloatArray:
    """(H, W, 3) float32 in OpenCV's 8-bit Lab units; neutral chroma is 128."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)


def describe_cells(lab: FloatArray, places: Array, model: PatchModel) -> FloatArray:
    """(2, N, D) float32 descriptors of the cells at `places` (left, top), then of twice their size around them."""
    return model.describe(_patches(lab, places)).reshape(2, len(places), model.dimension)


def _patches(lab: FloatArray, places: Array) -> ByteArray:
    """(2N, 32, 32) uint8 lightness; beyond the frame its border goes on."""
    lightness = np.clip(lab[..., 0], 0, 255).astype(np.uint8)
    margin = CELL  # half a wide cell, and more than a cell may move
    bordered = cv2.copyMakeBorder(lightness, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    halved = cv2.resize(bordered, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    patches = np.empty((2 * len(places), PATCH_SIDE, PATCH_SIDE), np.uint8)
    for n, (left, top) in enumerate(places.tolist()):
        y, x = top + margin, left + margin
        patches[n] = bordered[y : y + CELL, x : x + CELL]
        y, x = (y - CELL // 2) // 2, (x - CELL // 2) // 2
        patches[len(places) + n] = halved[y : y + CELL, x : x + CELL]
    return patches
