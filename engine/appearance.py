"""Structure and colour inside the outline: does the photo look like the picture where the homography says?

The photo is rectified into the picture's frame. Structure: normalised correlation of small cells, each free
to move a little, since bottles and cartons are not quite flat. Colour: how far the picture's colours are
explained by a linear map of the photo's, which forgives white balance and exposure.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.values import ColorImage, FloatArray

FRAME = 160
"""Longer side of the rectified images, pixels."""
CELL = 20
SHIFT = 5


@dataclass(frozen=True)
class Appearance:
    """structure: mean of the cells' best correlation, weighted by the picture's contrast; structure_low: its
    lower quartile; structure_share: share of cells above 0.6; colour: share of the picture's chroma that the
    photo's colours explain; chroma_gap: mean difference of chroma after the fit (Lab units, 0 is alike);
    visible: share of the picture inside the photo. All but the gap in [-1, 1]."""

    structure: float
    structure_low: float
    structure_share: float
    colour: float
    chroma_gap: float
    visible: float


NOTHING = Appearance(0.0, 0.0, 0.0, 0.0, 30.0, 0.0)


def compare(picture: ColorImage, photo: ColorImage, H_picture_to_photo: NDArray[np.float64]) -> Appearance:
    """picture, photo: (H, W, 3) uint8 RGB; H maps the picture's pixels to the photo's."""
    reference, seen, mask = rectify(picture, photo, H_picture_to_photo)
    if mask.mean() < 0.05:
        return NOTHING
    lab_reference, lab_seen = (cv2.cvtColor(i, cv2.COLOR_RGB2LAB).astype(np.float32) for i in (reference, seen))
    scores, weights = _cells(lab_reference[..., 0], lab_seen[..., 0], mask)
    if not len(scores):
        return NOTHING
    colour, gap = _colour(lab_reference, lab_seen, mask)
    return Appearance(
        float(np.average(scores, weights=weights)),
        float(np.quantile(scores, 0.25)),
        float((scores > 0.6).mean()),
        colour,
        gap,
        float(mask.mean()),
    )


def rectify(
    picture: ColorImage, photo: ColorImage, H_picture_to_photo: NDArray[np.float64]
) -> tuple[ColorImage, ColorImage, NDArray[np.bool_]]:
    """The picture at `FRAME` pixels, the photo in the same frame, and where the photo covers it."""
    height, width = picture.shape[:2]
    factor = FRAME / max(height, width)
    size = (max(CELL, round(width * factor)), max(CELL, round(height * factor)))
    reference = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    to_picture = np.diag([width / size[0], height / size[1], 1.0])
    H = H_picture_to_photo @ to_picture
    # The photo is shrunk first where it shows the picture larger than the frame, so that nothing aliases.
    corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float64)
    quad = cv2.perspectiveTransform(corners[None], H)[0].astype(np.float32)
    shrink = (cv2.contourArea(quad) / (size[0] * size[1])) ** 0.5
    if shrink > 1.4 and min(photo.shape[:2]) / shrink > 16:
        photo = cv2.resize(photo, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        H = np.diag([1 / shrink, 1 / shrink, 1.0]) @ H
    seen = cv2.warpPerspective(photo, H, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inside = np.full(photo.shape[:2], 255, np.uint8)
    mask = cv2.warpPerspective(inside, H, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0
    return reference, seen, mask


def _cells(reference: FloatArray, seen: FloatArray, mask: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Best correlation of each cell of the picture within +-SHIFT pixels of the photo, and its contrast."""
    height, width = reference.shape
    scores, weights = [], []
    padded = cv2.copyMakeBorder(seen, SHIFT, SHIFT, SHIFT, SHIFT, cv2.BORDER_REPLICATE)
    for top in range(0, height - CELL + 1, CELL):
        for left in range(0, width - CELL + 1, CELL):
            if not mask[top : top + CELL, left : left + CELL].all():
                continue
            cell = reference[top : top + CELL, left : left + CELL]
            spread = float(cell.std())
            if spread < 4:  # a plain cell correlates with anything
                continue
            window = padded[top : top + CELL + 2 * SHIFT, left : left + CELL + 2 * SHIFT]
            scores.append(float(np.nan_to_num(cv2.matchTemplate(window, cell, cv2.TM_CCOEFF_NORMED)).max()))
            weights.append(min(spread, 30.0))
    return np.array(scores, np.float32), np.array(weights, np.float32)


def _colour(reference: FloatArray, seen: FloatArray, mask: NDArray[np.bool_]) -> tuple[float, float]:
    size = (max(4, reference.shape[1] // 8), max(4, reference.shape[0] // 8))
    small = [cv2.resize(i, size, interpolation=cv2.INTER_AREA).reshape(-1, 3) for i in (reference, seen)]
    kept = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() > 0.9
    if kept.sum() < 8:
        return 0.0, 30.0
    target, source = small[0][kept], small[1][kept]
    chroma = target[:, 1:] - 128
    # Ridge: with few colours in the photo a free linear map would explain anything.
    design = np.c_[source - source.mean(0), np.ones(len(source))]
    ridge = np.diag([25.0, 25.0, 25.0, 1e-3]) * len(source) / 10
    fitted = design @ np.linalg.solve(design.T @ design + ridge, design.T @ chroma)
    residual = chroma - fitted
    total = ((chroma - chroma.mean(0)) ** 2).sum() + 4.0 * len(chroma)
    explained = 1 - (residual**2).sum() / total
    return float(np.clip(explained, -1, 1)), float(np.sqrt((residual**2).sum(1)).mean())
