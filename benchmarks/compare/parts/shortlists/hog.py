"""A classical global descriptor: oriented gradients (Dalal & Triggs 2005) beside a colour histogram."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.shortlists.vectors import VectorIndex, unit
from engine.image import to_gray
from engine.values import ColorImage

_SIDE, _CELL = 128, 16


class Hog(VectorIndex):
    """1,764 gradient cells of the image squeezed to 128 x 128, and 512 bins of Lab colour, equally weighted."""

    kind = "hog-128-lab-8"

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:  # noqa: ARG002  # both sides alike
        small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        # Square roots of histograms: their inner product is the Bhattacharyya coefficient.
        gradients = np.sqrt(_gradients(to_gray(small)))
        lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
        colours = cv2.calcHist([lab], [0, 1, 2], None, [8, 8, 8], [0, 256, 0, 256, 0, 256])
        return {"vector": unit(np.concatenate([unit(gradients), unit(np.sqrt(colours).ravel())]))}


def _gradients(gray: np.ndarray) -> np.ndarray:
    """(1764,): 9 unsigned orientations in cells of 16 pixels, blocks of 2 x 2 cells in steps of one, L2-normalised."""
    values = gray.astype(np.float32)
    dx, dy = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=1)
    angle = np.arctan2(dy, dx) % np.pi * 9 / np.pi - 0.5
    low = np.floor(angle)
    share = angle - low
    cells = _SIDE // _CELL
    row, column = np.divmod(np.arange(_SIDE * _SIDE), _SIDE)
    cell = ((row // _CELL) * cells + column // _CELL) * 9
    magnitude = np.hypot(dx, dy).ravel()
    first, second = (low.ravel().astype(np.int64)) % 9, (low.ravel().astype(np.int64) + 1) % 9
    histogram = np.bincount(cell + first, magnitude * (1 - share.ravel()), cells * cells * 9)
    histogram += np.bincount(cell + second, magnitude * share.ravel(), cells * cells * 9)
    grid = histogram.reshape(cells, cells, 9)
    blocks = np.concatenate([grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]], axis=2)
    blocks /= np.maximum(np.linalg.norm(blocks, axis=2, keepdims=True), 1e-6)
    return blocks.ravel().astype(np.float32)
