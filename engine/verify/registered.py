"""Picture and photo side by side, registered cell by cell, as the comparator reads them.

A homography is off by several pixels on bottles, cartons and waving paper, and more where its matches lie on one side.
The cells that were found again say how far: their shifts, weighted by how well they correlate, are spread over the
frame, so that a cell that shows something else lies where its neighbours say that it must.
"""

from __future__ import annotations

import cv2
import numpy as np

from engine.values import ByteArray, FloatArray
from engine.verify.appearance import Seen
from engine.verify.cells import CELL
from engine.verify.reference import FRAME

CHANNELS = 7
"""Lab of the picture, Lab of the photo, and where the photo covers the frame."""
_DARKEST, _MOST_GAIN = 3.0, 16.0
"""Times that a picture may have the contrast of its photo before this is brightened, and by how much at most."""
_GREY = 1.0
"""Standard deviation of chroma, Lab units, below which a photo is grey, as from a copier or a camera at night: it says
nothing of the print's colours, and both are compared without."""
_SPREAD = 0.8
"""Sigma, in cells, by which a cell's shift is spread over its neighbours."""
_TRUST = 4
"""Power of the correlation that weighs a shift: a cell that correlates by .5 counts a sixteenth of a certain one."""


def registered(seen: Seen) -> ByteArray:
    """(7, 256, 256) uint8, its CHANNELS in 8-bit units; zero beyond the frame of a picture that is no square."""
    width, height = seen.reference.size
    frames = np.zeros((CHANNELS, FRAME, FRAME), np.uint8)
    picture, lit = _bytes(seen.reference.lab), _bytes(brightened(seen))
    if lit[..., 1:][seen.mask].std(0).max() < _GREY:
        picture[..., 1:] = lit[..., 1:] = 128
    frames[:3, :height, :width] = np.moveaxis(picture, 2, 0)[:, :FRAME, :FRAME]
    frames[3:6, :height, :width] = np.moveaxis(shifted(lit, shift_field(seen)), 2, 0)
    frames[6, :height, :width] = np.where(seen.mask, 255, 0)
    return frames


def brightened(seen: Seen) -> FloatArray:
    """(H, W, 3) float32 Lab of the photo; where it is so dark that its contrast is less than a third of the picture's,
    brought to a third, and its colours with it: no simulated photo that the comparator learned from was darker."""
    ours, theirs = (float(lab[..., 0][seen.mask].std()) for lab in (seen.reference.lab, seen.lab))
    gain = min(ours / (_DARKEST * max(theirs, 1e-3)), _MOST_GAIN)
    if gain <= 1:
        return seen.lab
    middle = np.array([seen.lab[..., 0][seen.mask].mean(), 128, 128], np.float32)
    target = np.array([128, 128, 128], np.float32)
    return np.asarray((seen.lab - middle) * np.float32(gain) + target, np.float32)


def shift_field(seen: Seen) -> FloatArray:
    """(H, W, 2) float32: how far aside, in pixels of the frame, each point of the picture lies in the photo."""
    width, height = seen.reference.size
    rows, columns = max(1, height // CELL), max(1, width // CELL)
    known = np.zeros((rows, columns, 3), np.float32)
    trust = np.clip(seen.scores, 0.05, 1) ** _TRUST
    left, top = (seen.places // CELL).T
    known[top, left] = np.c_[seen.shifts * trust[:, None], trust]
    known = cv2.GaussianBlur(known, (0, 0), _SPREAD, borderType=cv2.BORDER_REPLICATE)
    cells = known[..., :2] / (known[..., 2:] + np.float32(1e-6))
    across = np.clip((np.arange(width, dtype=np.float32) + 0.5) / CELL - 0.5, 0, columns - 1)
    down = np.clip((np.arange(height, dtype=np.float32) + 0.5) / CELL - 0.5, 0, rows - 1)
    x, y = np.meshgrid(across, down)
    return cv2.remap(cells, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def shifted(image: ByteArray, field: FloatArray) -> ByteArray:
    """The image, (H, W, C), with each point fetched from where the field says that it lies."""
    height, width = field.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    where = x + field[..., 0], y + field[..., 1]
    return cv2.remap(image, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _bytes(lab: FloatArray) -> ByteArray:
    return np.clip(lab, 0, 255).astype(np.uint8)
