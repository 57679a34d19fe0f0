"""Array types and the conventions that all modules share.

Pixels: the centre of the top-left pixel is (0, 0), x to the right, y down. Resizing an image by a factor f moves a
point p to (p + 0.5) * f - 0.5. An image's corners are the outer edges of its pixels. Homographies map column vectors
(x, y, 1) and carry their frames in their names: `H_picture_to_photo`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# OpenCV's and FAISS's stubs know no dtypes: the names below say to the reader what the checker cannot see.
FloatArray = NDArray[Any]
"""float32."""
ByteArray = NDArray[Any]
"""uint8."""
GrayImage = NDArray[Any]
"""(H, W) uint8."""
ColorImage = NDArray[Any]
"""(H, W, 3) uint8, RGB."""


def resize_matrix(from_size: tuple[int, int], to_size: tuple[int, int]) -> NDArray[np.float64]:
    """3x3 matrix that moves pixel coordinates when an image of `from_size` (width, height) is resized."""
    fx, fy = to_size[0] / from_size[0], to_size[1] / from_size[1]
    return np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2], [0, 0, 1]])


def mirror_matrix(width: int) -> NDArray[np.float64]:
    """3x3 matrix that moves pixel coordinates when an image `width` pixels wide is mirrored left to right."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def corners(size: tuple[int, int]) -> NDArray[np.float64]:
    """(4, 2) corners of an image of `size` (width, height), clockwise from its top left."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
