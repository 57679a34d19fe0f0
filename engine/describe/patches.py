"""The oriented patches around keypoints: what the patch network reads."""

from __future__ import annotations

import cv2
import numpy as np

from engine.describe.keypoints import (
    LEVEL_FACTOR,
    Keypoints,
)
from engine.kernels import kernel
from engine.values import ByteArray, GrayImage

PATCH_SIDE = 32
"""Pixels on a side of a patch; what the patch network reads."""


PATCH_EXTENT = 1.6 * 31 / PATCH_SIDE
"""Picture pixels per patch pixel at keypoint scale 1: the patch spans 1.6 times ORB's 31-pixel
neighbourhood (chosen by trial; HardNet, Mishchuk et al. 2017, uses a multiple of the same order)."""


def extract_patches(gray: GrayImage, keypoints: Keypoints) -> ByteArray:
    """(N, 32, 32) uint8 patches of `gray` around the keypoints, turned to their angles.

    Each level of scale is sampled from a copy of the image shrunk by the same factor, so that one patch
    pixel is one pixel of the copy and nothing aliases.
    """
    patches = np.empty((len(keypoints), PATCH_SIDE, PATCH_SIDE), np.uint8)
    levels = np.rint(np.log(keypoints.scale) / np.log(LEVEL_FACTOR)).astype(np.int64)
    height, width = gray.shape
    for level in np.unique(levels):
        step = PATCH_EXTENT * LEVEL_FACTOR ** float(level)
        size = (max(2, round(width / step)), max(2, round(height / step)))
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        chosen = np.flatnonzero(levels == level)
        ratio = np.array([size[0] / width, size[1] / height], np.float32)
        centres = (keypoints.xy[chosen] + 0.5) * ratio - 0.5
        _sample(_corners(small), *size, centres, keypoints.angle[chosen], chosen, patches)
    return patches


@kernel()
def _corners(image):  # type: ignore[no-untyped-def]  # compiled by Numba
    """(H, W) uint32: each pixel with its right, lower and lower right neighbour, a byte each, so that a bilinear
    sample reads memory once; the last row and column are not used."""
    height, width = image.shape
    corners = np.zeros((height, width), np.uint32)
    for y in range(height - 1):
        for x in range(width - 1):
            corners[y, x] = (
                np.uint32(image[y, x])
                | np.uint32(image[y, x + 1]) << np.uint32(8)
                | np.uint32(image[y + 1, x]) << np.uint32(16)
                | np.uint32(image[y + 1, x + 1]) << np.uint32(24)
            )
    return corners


@kernel(fastmath=True)
def _sample(corners, width, height, centres, angles, rows, patches):  # type: ignore[no-untyped-def]  # compiled by Numba
    """Bilinear; outside the image its border pixels go on. A row of a patch takes three passes: where to read,
    read, blend. The first and the last become vector instructions, which one loop with the reading would not."""
    side = patches.shape[1]
    middle = np.float32((side - 1) / 2)
    right, low = np.float32(width - 1.001), np.float32(height - 1.001)
    flat, stride = corners.reshape(-1), np.int32(corners.shape[1])
    place, four = np.empty(side, np.int32), np.empty(side, np.uint32)
    across, down = np.empty(side, np.float32), np.empty(side, np.float32)
    one, byte = np.float32(1), np.uint32(255)
    for i in range(len(rows)):
        cos, sin = np.cos(angles[i]), np.sin(angles[i])
        for v in range(side):
            x_row = centres[i, 0] - cos * middle - sin * (np.float32(v) - middle)
            y_row = centres[i, 1] - sin * middle + cos * (np.float32(v) - middle)
            line = patches[rows[i], v]
            for u in range(side):
                x = min(max(x_row + cos * np.float32(u), np.float32(0)), right)
                y = min(max(y_row + sin * np.float32(u), np.float32(0)), low)
                x0, y0 = np.int32(x), np.int32(y)
                across[u], down[u] = x - np.float32(x0), y - np.float32(y0)
                place[u] = y0 * stride + x0
            for u in range(side):
                four[u] = flat[np.uint32(place[u])]
            for u in range(side):
                top_left, top_right = np.float32(four[u] & byte), np.float32((four[u] >> np.uint32(8)) & byte)
                low_left, low_right = (
                    np.float32((four[u] >> np.uint32(16)) & byte),
                    np.float32(four[u] >> np.uint32(24)),
                )
                top = top_left * (one - across[u]) + top_right * across[u]
                bottom = low_left * (one - across[u]) + low_right * across[u]
                line[u] = np.uint8(np.int32(top + (bottom - top) * down[u] + np.float32(0.5)))
