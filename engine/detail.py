"""Pictures in which little would be found: at which size long ones are looked at, how dim and faint ones are made to
show, and what to say of those that show nothing."""

from __future__ import annotations

import cv2
import numpy as np

from engine.values import ColorImage

LONG = 8
"""Times that a picture is as long as it is wide from which on it is looked at larger, so that its shorter
side keeps the pixels that one of this shape has: 60 of a picture, 80 of a photo. Keypoints keep 14 off the border."""
LONGEST = 32
"""The shape from which on it grows no more: 1,920 pixels of a picture. A record's scales reach no further."""
DIM = 16
"""Grey levels that all of a picture lies within, but for DIM_SHARE at either end, where its contrast is always
stretched: what is drawn in so few is plain to all that compares pictures."""
DIM_SHARE = 0.0005
"""A few bright pixels of noise; the ink of a drawing takes more."""
FAINT = 64
FAINT_SHARE = 0.01
"""The same of a picture in which too little was found."""
LEAST_LEVELS = 4
"""Where it is worth it: with fewer there is nothing but a compression's noise."""


def working_side(size: tuple[int, int], long_side: int) -> int:
    """The longer side, in pixels, at which a picture of `size` (width, height) is looked at: `long_side`, but for very
    long ones."""
    shape = min(max(size) / max(min(size), 1), LONGEST)
    return long_side if shape <= LONG else round(long_side * shape / LONG)


def levels(image: ColorImage, share: float) -> tuple[int, int]:
    """The grey levels below and above which this share of the picture lies."""
    counts = cv2.calcHist([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)], [0], None, [256], [0, 256])
    below = np.cumsum(counts.ravel(), dtype=np.float64) / counts.sum(dtype=np.float64)
    return int(np.searchsorted(below, share, side="right")), int(np.searchsorted(below, 1 - share))


def stretched(image: ColorImage, *, most: int, share: float) -> ColorImage | None:
    """The picture with its grey levels, but for this share at either end, spread over the whole range, all channels
    alike; None where they lie more than `most` apart already, or hardly differ at all."""
    low, high = levels(image, share)
    if not LEAST_LEVELS <= high - low <= most:
        return None
    table = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table)


def what_lacks(image: ColorImage) -> str:
    """What to tell people of a picture in which too little is found."""
    height, width = image.shape[:2]
    low, high = levels(image, FAINT_SHARE)
    told = "the picture has too little detail"
    if high - low < FAINT:
        return f"{told}, its grey levels lie between {low} and {high} of 255"
    if max(width, height) > LONG * min(width, height):
        return f"{told}, it is {max(width, height) / min(width, height):.0f} times as long as it is wide"
    return told
