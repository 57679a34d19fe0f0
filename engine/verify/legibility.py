"""How well a photo can be told apart here: what a right picture could reach at best.

Agreement says little where the photo resolves nothing, and disagreement little where the paper is bent: these figures
let the judge hold what it sees against what could be seen (none of them asks which picture it is).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.values import Array
from engine.verify.appearance import Seen
from engine.verify.cells import cell_means, cell_spreads
from engine.verify.homography import project
from engine.verify.reference import FRAME

_FINE, _MIDDLE = 1.0, 3.0
"""Standard deviations of the Gaussians, pixels of the frame, that divide fine from middle detail, and that from
coarse."""
_AGREES = 0.6
"""Correlation from which on a cell shows the same, so that both sides' detail can be compared."""
_NOISE = 1.0
"""Variance of lightness that counts as no detail at all."""


@dataclass(frozen=True)
class Legibility:
    """The fields' names stand in `calibration.json`."""

    detail: float
    """Logarithm of fine over middle detail in the photo, less the same of the picture; 0: as sharp as the picture."""
    shift: float
    """Mean distance that cells lie aside, pixels of the frame."""
    bend: float
    """The same after the best affine field is taken off: what paper and bottles do."""
    size: float
    """Logarithm of the picture's size in the photo, in sides of the frame."""
    dimness: float
    """Logarithm of the picture's contrast over the photo's, in the same cells."""
    contrast: float
    """Logarithm of the picture's contrast."""


UNREADABLE = Legibility(-3.0, 8.0, 8.0, -3.0, 3.0, 0.0)


def legibility(seen: Seen | None, H_picture_to_photo: NDArray[np.float64]) -> Legibility:
    """H maps the picture's pixels to those of the working photo; UNREADABLE where there is nothing to compare."""
    if seen is None:
        return UNREADABLE
    theirs = cell_spreads(seen.lab[..., 0], seen.places + seen.shifts)
    height, width = seen.reference.picture.shape[:2]
    quad = project(H_picture_to_photo, np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64))
    area = max(float(cv2.contourArea(quad.astype(np.float32))), 1.0)
    contrast = float(seen.contrast.mean())
    return Legibility(
        detail=_detail(seen),
        shift=float(np.linalg.norm(seen.shifts, axis=1).mean()),
        bend=_bend(seen.places, seen.shifts),
        size=float(np.log(area**0.5 / FRAME)),
        dimness=float(np.log((contrast + _NOISE) / (theirs.mean() + _NOISE))),
        contrast=float(np.log(contrast)),
    )


def _detail(seen: Seen) -> float:
    """Where no cell agrees, of all cells."""
    agree = seen.scores > _AGREES
    if not agree.any():
        agree[:] = True
    sharpness = []
    for image, places in ((seen.reference.lab, seen.places), (seen.lab, seen.places + seen.shifts)):
        lightness = np.ascontiguousarray(image[..., 0])
        fine_away, middle_away = (cv2.GaussianBlur(lightness, (0, 0), sigma) for sigma in (_FINE, _MIDDLE))
        fine, middle = (lightness - fine_away) ** 2, (fine_away - middle_away) ** 2
        sums = [float(cell_means(band, places[agree]).sum()) for band in (fine, middle)]
        sharpness.append(np.log((sums[0] + _NOISE) / (sums[1] + _NOISE)))
    return float(sharpness[1] - sharpness[0])


def _bend(places: Array, shifts: Array) -> float:
    if len(places) < 4:
        return float(np.linalg.norm(shifts, axis=1).mean())
    design = np.c_[places / FRAME, np.ones(len(places))]
    fitted = design @ np.linalg.lstsq(design, shifts.astype(np.float64), rcond=None)[0]
    return float(np.linalg.norm(shifts - fitted, axis=1).mean())
