"""ORB keypoints, spread over the picture, and the oriented patches around them.

Coordinates are pixels with the centre of the top-left pixel at (0, 0), x to the right, y down, as in
OpenCV; angles are radians, clockwise on the screen (from +x towards +y), as ORB reports them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from engine.values import ByteArray, FloatArray, GrayImage

PATCH_SIDE = 32
"""Pixels on a side of a patch; what the patch network reads."""

PATCH_EXTENT = 1.6 * 31 / PATCH_SIDE
"""Picture pixels per patch pixel at keypoint scale 1: the patch spans 1.6 times ORB's 31-pixel
neighbourhood (chosen by trial; HardNet, Mishchuk et al. 2017, uses a multiple of the same order)."""

LEVELS = 8
LEVEL_FACTOR = 1.2
EDGE = 14
"""Border without keypoints, in pixels of the pyramid level. ORB's default of 31 would leave a tenth of
a small picture unused; the orientation needs 15 and is mirrored at the border by OpenCV."""


@dataclass(frozen=True, kw_only=True)
class DetectorSettings:
    """How many keypoints are sought, in an image of which size.

    long_side: the image is resized so that its longer side has this many pixels.
    count: keypoints kept at most.
    fast_threshold: grey-level difference of FAST; a second pass with `faint_threshold` follows when
        the first gives fewer than `faint_below` keypoints (blurred or dark photos).
    cells: the picture is divided into cells x cells, and keypoints are taken from all cells in turn.
    contrast: clip limit of an adaptive histogram equalisation (CLAHE, Zuiderveld 1994) in 8 x 8 tiles, of what
        the detector sees; 0 leaves it out. Patches are always cut from the image itself.
    """

    long_side: int
    count: int
    fast_threshold: int = 8
    faint_threshold: int = 3
    faint_below: int = 300
    cells: int = 10
    contrast: float = 0.0


PICTURE_DETECTOR = DetectorSettings(long_side=480, count=400, faint_below=200)
PHOTO_DETECTOR = DetectorSettings(long_side=640, count=700, cells=16, contrast=1.0)
"""Finer cells than a picture's, since the picture may fill a small part of the photo: docs/decisions/0009."""
CLOSER_DETECTOR = DetectorSettings(
    long_side=960, count=2000, fast_threshold=4, faint_threshold=2, faint_below=800, cells=16, contrast=1.0
)
"""For a second look at a photo in which nothing was found: finer, fainter and three times as many. Of 67 photos
whose picture the first look had missed it verified 33 (1,400 keypoints at 640 pixels: 24)."""


@dataclass(frozen=True)
class Keypoints:
    """N keypoints, strongest cells first.

    xy: (N, 2) float32 pixels; scale: (N,) float32, 1 = ORB's finest level, 1.2 a level;
    angle: (N,) float32 radians in [0, 2 pi); response: (N,) float32 Harris response.
    """

    xy: FloatArray
    scale: FloatArray
    angle: FloatArray
    response: FloatArray

    def __len__(self) -> int:
        return len(self.scale)

    def take(self, index: np.ndarray) -> Keypoints:
        return Keypoints(self.xy[index], self.scale[index], self.angle[index], self.response[index])


def resize_long_side(image: np.ndarray, long_side: int) -> np.ndarray:
    """The image with its longer side at `long_side` pixels; enlarged images are interpolated."""
    height, width = image.shape[:2]
    factor = long_side / max(height, width)
    if abs(factor - 1) < 1e-3:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def detect(gray: GrayImage, settings: DetectorSettings) -> Keypoints:
    """Keypoints of `gray` (H, W uint8), already at its working size; none for a featureless image."""
    if min(gray.shape) <= 2 * EDGE:  # nothing but border; OpenCV fails on the smallest of such images
        return _no_keypoints()
    if settings.contrast:
        gray = cv2.createCLAHE(settings.contrast, (8, 8)).apply(gray)
    found = _detect_at(gray, settings, settings.fast_threshold)
    if len(found) < settings.faint_below:
        fainter = _detect_at(gray, settings, settings.faint_threshold)
        if len(fainter) > len(found):
            found = fainter
    return found


def _detect_at(gray: GrayImage, settings: DetectorSettings, threshold: int) -> Keypoints:
    orb = cv2.ORB.create(
        nfeatures=3 * settings.count,
        scaleFactor=LEVEL_FACTOR,
        nlevels=LEVELS,
        edgeThreshold=EDGE,
        fastThreshold=threshold,
    )
    raw = orb.detect(gray, None)
    if not raw:
        return _no_keypoints()
    table = np.array([(*p.pt, p.octave, p.angle, p.response) for p in raw], np.float32)
    chosen = _spread(table, gray.shape, settings)
    table = table[chosen]
    return Keypoints(
        np.ascontiguousarray(table[:, :2]),
        (LEVEL_FACTOR ** table[:, 2]).astype(np.float32),
        np.deg2rad(table[:, 3]).astype(np.float32),
        table[:, 4].copy(),
    )


def _no_keypoints() -> Keypoints:
    empty = np.zeros(0, np.float32)
    return Keypoints(np.zeros((0, 2), np.float32), empty, empty, empty)


def _spread(table: FloatArray, shape: tuple[int, ...], settings: DetectorSettings) -> np.ndarray:
    """Row numbers of at most `count` keypoints: within each pyramid level the cells take turns, best
    response first, so that one block of text does not take all."""
    height, width = shape
    cells = settings.cells
    column = np.minimum((table[:, 0] * cells / width).astype(np.int64), cells - 1)
    row = np.minimum((table[:, 1] * cells / height).astype(np.int64), cells - 1)
    level = table[:, 2].astype(np.int64)
    group = (level * cells + row) * cells + column
    order = np.lexsort((-table[:, 4], group))
    sorted_group = group[order]
    starts = np.flatnonzero(np.r_[True, sorted_group[1:] != sorted_group[:-1]])
    turn = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    # ORB hands each level a share of the keypoints that falls with its area; scaled turns keep the shares.
    per_level = np.bincount(level, minlength=LEVELS)
    quota = per_level[level[order]] * settings.count / max(len(table), settings.count)
    by_level = np.lexsort((-table[order, 4], turn, level[order]))
    position = np.empty(len(order))
    sorted_level = level[order][by_level]
    level_start = np.searchsorted(sorted_level, np.arange(LEVELS))
    position[by_level] = np.arange(len(order)) - level_start[sorted_level]
    return order[np.argsort(position / np.maximum(quota, 1e-9), kind="stable")[: settings.count]]


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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True, fastmath=True)
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
