"""Structure and colour inside the outline: does the photo look like the picture where the homography says?

The photo is rectified into the picture's frame. Structure: normalised correlation of small cells, each free
to move a little, since bottles and cartons are not quite flat. Colour: how far the colours of one explain
those of the other by a linear map, which forgives white balance and exposure, and whether they lie on the
same side of their mean (a linear map could turn red into green; light does not).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.values import Array, ColorImage, FloatArray
from engine.verify.cells import CELL, covered, found_again, padded
from engine.verify.reference import Reference, to_lab

HIGH_CONTRAST = 30.0
"""Standard deviation of lightness from which on more contrast gives a cell no more weight."""
COARSE = 20
"""Longer side of the grid on which colours are compared."""
_RIDGE = 25.0
"""Variance (Lab units) that a colour needs to take part in a fit: with few colours in a photo a free linear map
would explain anything."""
_HUE_PRIOR, _HUE_NOISE = 0.6, 25.0
"""What stands for the hue of grey pictures, and the variance (Lab units) that it stands with (docs/decisions/0003)."""
LEAST_SHARED = 0.05
"""Share of the picture's frame that the photo must cover: a twentieth is three or four cells."""
_ALIKE = 0.6
"""Correlation from which on a cell counts as found again; chosen by judgement, beside the mean and the quartile."""
_COVERED = 0.9
"""Share of a coarse cell that the photo must cover for its colour to count, and of the cells of a very long one."""
_ALIASES = 1.4
"""Times that the photo shows the picture larger than the frame, from which on it is shrunk before it is sampled: less
than one pixel in two is skipped below it."""
_LEAST_SIDE = 16
"""Pixels that a shrunk photo keeps on its shorter side."""


@dataclass(frozen=True)
class Appearance:
    """How a photo resembles a picture inside the outline; all but the gaps in [-1, 1]. The fields' names stand in
    `calibration.json`."""

    structure: float
    """Mean of the cells' best correlation, weighted by the picture's contrast."""
    structure_low: float
    """Lower quartile of the cells' best correlation."""
    structure_share: float
    """Share of cells above 0.6."""
    colour: float
    """Share of the picture's chroma that the photo's colours explain."""
    chroma_gap: float
    """Mean distance of chroma after that fit, Lab units, 0 is alike."""
    colour_back: float
    gap_back: float
    """The same two for the photo's chroma, explained by the picture's colours."""
    hue: float
    """Correlation of both chromas."""
    visible: float
    """Share of the picture inside the photo."""


NOTHING = Appearance(0.0, 0.0, 0.0, 0.0, 30.0, 0.0, 30.0, 0.0, 0.0)


@dataclass(frozen=True)
class Seen:
    """What a photo shows of a picture, in the picture's frame."""

    reference: Reference
    lab: FloatArray
    """(H, W, 3) float32, of the photo."""
    mask: NDArray[np.bool_]
    """Where the photo covers the frame."""
    cells: Array
    """(N,) int64: those of the reference's cells that lie wholly inside."""
    shifts: Array
    """(N, 2) int64: how far each lies aside in the photo, at most SHIFT pixels in both directions."""
    scores: FloatArray
    """(N,) correlation there."""

    @property
    def places(self) -> Array:
        """(N, 2): left and top of the cells in the picture."""
        return np.asarray(self.reference.places[self.cells])

    @property
    def contrast(self) -> FloatArray:
        """(N,) standard deviation of lightness in the picture."""
        return np.asarray(self.reference.contrast[self.cells])


def see(reference: Reference, photo: ColorImage, H_picture_to_photo: NDArray[np.float64]) -> Seen | None:
    """photo: (H, W, 3) uint8 RGB; H maps the picture's pixels to the photo's. None where too little of the picture is
    in the photo, or nothing is drawn there."""
    seen, mask = warp_into(photo, H_picture_to_photo @ reference.to_picture, reference.size)
    if mask.mean() < LEAST_SHARED:
        return None
    lab = to_lab(seen)
    cells, shifts, scores = _match_cells(reference, lab[..., 0], mask)
    return Seen(reference, lab, mask, cells, shifts, scores) if len(cells) else None


def compare(seen: Seen | None) -> Appearance:
    """Structure and colour; NOTHING where there is nothing to compare."""
    if seen is None:
        return NOTHING
    scores, weights, mask = seen.scores, np.minimum(seen.contrast, np.float32(HIGH_CONTRAST)), seen.mask
    ours, theirs = coarse_colours(seen.reference.lab, seen.lab, mask=mask)
    if not len(ours):
        return NOTHING
    colour, gap = _explained(ours, theirs)
    colour_back, gap_back = _explained(theirs, ours)
    return Appearance(
        float(np.average(scores, weights=weights)),
        float(np.quantile(scores, 0.25)),
        float((scores > _ALIKE).mean()),
        colour,
        gap,
        colour_back,
        gap_back,
        _hue(ours, theirs),
        float(mask.mean()),
    )


def warp_into(
    photo: ColorImage, H_frame_to_photo: NDArray[np.float64], size: tuple[int, int]
) -> tuple[ColorImage, NDArray[np.bool_]]:
    """The photo in a frame of `size` (width, height), and where it covers the frame."""
    # The photo is shrunk first where it shows the picture larger than the frame, so that nothing aliases.
    corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float64)
    quad = cv2.perspectiveTransform(corners[None], H_frame_to_photo)[0].astype(np.float32)
    shrink = (cv2.contourArea(quad) / (size[0] * size[1])) ** 0.5
    if _ALIASES < shrink < min(photo.shape[:2]) / _LEAST_SIDE:
        photo = cv2.resize(photo, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        H_frame_to_photo = np.diag([1 / shrink, 1 / shrink, 1.0]) @ H_frame_to_photo
    seen = cv2.warpPerspective(photo, H_frame_to_photo, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inside = np.full(photo.shape[:2], 255, np.uint8)
    mask = cv2.warpPerspective(inside, H_frame_to_photo, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return seen, mask > 0


def _match_cells(reference: Reference, seen: FloatArray, mask: NDArray[np.bool_]) -> tuple[Array, Array, FloatArray]:
    """(N,) numbers of the cells inside the mask, (N, 2) where each correlates best within +-SHIFT pixels, (N,) how
    well."""
    lightness, bordered = reference.lab[..., 0], padded(seen)
    # Very long pictures are one cell high: a pixel of their border that the photo lacks must not take all cells.
    least = _COVERED if min(reference.size) <= CELL else 1.0
    inside = np.flatnonzero(covered(mask, reference.places) >= least)
    found = [found_again(bordered, lightness, (left, top)) for left, top in reference.places[inside].tolist()]
    shifts = np.array([shift for _, shift in found], np.int64).reshape(-1, 2)
    return inside, shifts, np.array([score for score, _ in found], np.float32)


def coarse_colours(*labs: FloatArray, mask: NDArray[np.bool_]) -> list[FloatArray]:
    """Each image's (N, 3) colours on the coarse grid, where the mask covers it; empty for too few cells."""
    height, width = mask.shape
    factor = COARSE / max(height, width)
    size = (max(4, round(width * factor)), max(4, round(height * factor)))
    kept = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() > _COVERED
    if kept.sum() < 8:
        kept[:] = False
    across, down = _area_means(width, size[0]), _area_means(height, size[1])
    # As OpenCV's INTER_AREA, which takes 0.9 ms an image: products of matrices take an eighth of it.
    rows = [(down @ lab.reshape(height, -1)).reshape(size[1], width, 3) for lab in labs]
    return [(across @ row).reshape(-1, 3)[kept] for row in rows]


@cache
def _area_means(pixels: int, cells: int) -> FloatArray:
    """(cells, pixels): each cell is the mean of what it covers of the pixels in a line. There are a few hundred of
    these: a frame has 32 to 256 pixels on a side."""
    edges = np.linspace(0, pixels, cells + 1)[:, None]
    starts = np.arange(pixels)
    overlap = np.minimum(edges[1:], starts + 1) - np.maximum(edges[:-1], starts)
    return np.asarray(np.maximum(overlap, 0) * cells / pixels, np.float32)


def fitted_chroma(target: FloatArray, source: FloatArray) -> FloatArray:
    """(N, 2): the target's chroma as far as a linear map of the source's Lab colours (N, 3) gives it."""
    design = np.c_[source - source.mean(0), np.ones(len(source))]
    ridge = np.diag([_RIDGE, _RIDGE, _RIDGE, 1e-3]) * len(source) / 10
    return np.asarray(design @ np.linalg.solve(design.T @ design + ridge, design.T @ target[:, 1:]), np.float32)


def _explained(target: FloatArray, source: FloatArray) -> tuple[float, float]:
    chroma = target[:, 1:]
    residual = chroma - fitted_chroma(target, source)
    total = ((chroma - chroma.mean(0)) ** 2).sum() + 4.0 * len(chroma)
    explained = 1 - (residual**2).sum() / total
    return float(np.clip(explained, -1, 1)), float(np.sqrt((residual**2).sum(1)).mean())


def _hue(ours: FloatArray, theirs: FloatArray) -> float:
    """Correlation of the centred chromas. Greyish pictures say little, whatever colours the photo has: the less their
    variance is beside `_HUE_NOISE`, the more a prior of `_HUE_PRIOR` stands in its place (a grey scan of a green book
    is still the book)."""
    a, b = (c[:, 1:] - c[:, 1:].mean(0) for c in (ours, theirs))
    noise = _HUE_NOISE * len(a)
    of_picture, of_photo = (a**2).sum() + noise, (b**2).sum() + noise
    return float((a * b).sum() / np.sqrt(of_picture * of_photo) + _HUE_PRIOR * noise / of_picture)


def chroma_distance(target: FloatArray, source: FloatArray) -> Array:
    """(N,) distance of the target's chroma from what the source's colours explain, Lab units."""
    return np.asarray(np.sqrt(((target[:, 1:] - fitted_chroma(target, source)) ** 2).sum(1)))
