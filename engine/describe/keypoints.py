"""ORB keypoints, spread over the picture, and the oriented patches around them.

Coordinates are pixels with the centre of the top-left pixel at (0, 0), x to the right, y down, as in
OpenCV; angles are radians, clockwise on the screen (from +x towards +y), as ORB reports them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from engine.values import FloatArray, GrayImage

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
    levels: of the pyramid that are searched, the finest first.
    """

    long_side: int
    count: int
    fast_threshold: int = 8
    faint_threshold: int = 3
    faint_below: int = 300
    cells: int = 10
    contrast: float = 0.0
    levels: int = LEVELS


PICTURE_DETECTOR = DetectorSettings(long_side=480, count=400, faint_below=200)
PHOTO_DETECTOR = DetectorSettings(long_side=640, count=700, cells=16, contrast=1.0)
"""Finer cells than a picture's, since the picture may fill a small part of the photo: docs/decisions/0009."""
CLOSER_DETECTOR = DetectorSettings(
    long_side=960, count=2000, fast_threshold=4, faint_threshold=2, faint_below=800, cells=16, contrast=1.0
)
"""For a second look at a photo in which nothing was found: finer, fainter and three times as many. Of 67 photos
whose picture the first look had missed it verified 33 (1,400 keypoints at 640 pixels: 24)."""
DISTANT_DETECTOR = replace(CLOSER_DETECTOR, count=1200, faint_below=400, levels=2)
"""For a picture that is small in the photo: of what the closer look matched in such, 89 % lay on its two finest levels,
which hold fewer than half of its keypoints (docs/decisions/0015)."""


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
        nlevels=settings.levels,
        edgeThreshold=EDGE,
        fastThreshold=threshold,
    )
    raw = orb.detect(gray, None)
    if not raw:
        return _no_keypoints()
    # Column by column: two fifths of the time that a row for each keypoint takes.
    table = np.empty((len(raw), 5), np.float32)
    table[:, :2] = cv2.KeyPoint.convert(raw)
    table[:, 2] = [p.octave for p in raw]
    table[:, 3] = [p.angle for p in raw]
    table[:, 4] = [p.response for p in raw]
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
