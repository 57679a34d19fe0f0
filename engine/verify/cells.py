"""Square cells of a picture's frame: what each holds, for all of them at once, and where it is found again."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.values import Array, FloatArray

CELL = 32
"""Pixels on a side, in a frame of 256."""
SHIFT = 8
"""Pixels that a cell may lie aside, in both directions."""


def cell_places(size: tuple[int, int], step: int = CELL) -> Array:
    """(N, 2) int64, left and top of the cells of a frame of `size` (width, height), row by row."""
    top, left = np.mgrid[0 : size[1] - CELL + 1 : step, 0 : size[0] - CELL + 1 : step]
    return np.stack([left.ravel(), top.ravel()], 1).astype(np.int64)


def cell_means(image: FloatArray, places: Array) -> NDArray[np.float64]:
    """(N,) mean of the image, (H, W) float32, in the cells at `places` (left, top). Cells that begin left of
    the image or above it are moved into it; those that end beyond it count as far as they lie in it."""
    return _mean(cv2.integral(image, sdepth=cv2.CV_64F), _boxes(image, places))


def cell_spreads(image: FloatArray, places: Array) -> NDArray[np.float64]:
    """(N,) standard deviations, of the same cells as `cell_means`."""
    sums, squares = cv2.integral2(image, sdepth=cv2.CV_64F, sqdepth=cv2.CV_64F)
    boxes = _boxes(image, places)
    return np.asarray(np.sqrt(np.maximum(_mean(squares, boxes) - _mean(sums, boxes) ** 2, 0)))


def covered(mask: NDArray[np.bool_], places: Array) -> NDArray[np.float64]:
    """(N,) share of each cell that the mask covers: exactly 1 where it is all of it."""
    return _mean(cv2.integral(mask.view(np.uint8), sdepth=cv2.CV_32S), _boxes(mask, places))


def padded(lightness: FloatArray) -> FloatArray:
    """With a border of SHIFT pixels, so that every cell has its window."""
    return cv2.copyMakeBorder(lightness, SHIFT, SHIFT, SHIFT, SHIFT, cv2.BORDER_REPLICATE)


def found_again(bordered: FloatArray, image: FloatArray, place: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """Best normalised correlation of the image's cell at `place` (left, top) within SHIFT pixels of the same place in
    another image of its size, and how far aside that lies (x, y). 0 where the other is plain; the cell must not be.
    bordered: that image, `padded`."""
    left, top = place
    window = bordered[top : top + CELL + 2 * SHIFT, left : left + CELL + 2 * SHIFT]
    cell = image[top : top + CELL, left : left + CELL]
    _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(window, cell, cv2.TM_CCOEFF_NORMED))
    return best, (x - SHIFT, y - SHIFT)


def _boxes(image: Array, places: Array) -> tuple[Array, Array, Array, Array]:
    """Left, top, right and bottom of each cell, inside the image."""
    height, width = image.shape
    left, top = np.maximum(places.reshape(-1, 2).T, 0)
    return left, top, np.minimum(left + CELL, width), np.minimum(top + CELL, height)


def _mean(integral: Array, boxes: tuple[Array, Array, Array, Array]) -> NDArray[np.float64]:
    left, top, right, bottom = boxes
    total = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    return np.asarray(total / ((right - left) * (bottom - top)))
