"""Does the whole picture agree, cell by cell, or only the frame that its series shares?

Inside the outline each drawn cell of the picture and the photo's cell, at the place where it was found, are described
by the patch network, at one and at two times their size; the similarity of the two descriptors says whether they show
the same print. A sister of a series agrees in frame and text box and differs within: the mean, the low end, and the
largest connected region that differs tell so, where inliers and their share do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from engine.describe.patch_model import PatchModel
from engine.values import Array, FloatArray
from engine.verify.appearance import HIGH_CONTRAST, Seen
from engine.verify.cells import CELL
from engine.verify.reference import describe_cells

DIFFERS = 0.3
"""Similarity below which a cell counts as another print. Measured on a series that shares a frame: right pictures have
a mean of .78 to .97, sisters .14 to .54."""


@dataclass(frozen=True)
class Content:
    """Similarities of the cells' descriptors, weighted by the picture's contrast; `wide`: at twice the size. The
    fields' names stand in `calibration.json`."""

    content: float
    content_quartile: float
    content_tenth: float
    content_differs: float
    """Share of the weight in cells below DIFFERS."""
    wide: float
    wide_quartile: float
    wide_tenth: float
    wide_differs: float
    region: float
    """Share of the weight in the largest connected region of cells below DIFFERS at twice the size."""


NO_CONTENT = Content(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0)


def compare_content(seen: Seen | None, model: PatchModel) -> Content:
    """NO_CONTENT where there is nothing to compare."""
    if seen is None:
        return NO_CONTENT
    ours = seen.reference.describe(model)[:, seen.cells]
    theirs = describe_cells(seen.lab, seen.places + seen.shifts, model)
    similarity = (ours * theirs).sum(2)
    weight = np.minimum(seen.contrast, np.float32(HIGH_CONTRAST))
    weight = weight / weight.sum()
    near, wide = (_summed_up(values, weight) for values in similarity)
    return Content(*near, *wide, _largest_region(seen.places, similarity[1] < DIFFERS, weight))


def _summed_up(similarity: FloatArray, weight: FloatArray) -> tuple[float, float, float, float]:
    quartile, tenth = np.quantile(similarity, (0.25, 0.1))
    return float(similarity @ weight), float(quartile), float(tenth), float(weight[similarity < DIFFERS].sum())


def _largest_region(places: Array, differs: Array, weight: FloatArray) -> float:
    """The heaviest group of differing cells that share sides or corners, as a share of all weight."""
    grid = np.zeros(places.max(0) // CELL + 1, np.uint8)
    at = tuple((places // CELL).T)
    grid[at] = differs
    _, labels = cv2.connectedComponents(grid, connectivity=8)
    by_label = np.bincount(labels[at], weights=weight * differs)
    return float(by_label[1:].max(initial=0))
