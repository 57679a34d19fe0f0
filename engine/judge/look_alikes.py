"""Two look-alikes against one photo, compared just where they differ from each other.

The rival is brought into the other picture's frame through the photo. Each cell of either may move a little:
on bottles and cartons a homography is off by several pixels, more than the letters that differ (without
that registration the comparison decided nothing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.values import ColorImage, FloatArray
from engine.verify.appearance import (
    HIGH_CONTRAST,
    LEAST_SHARED,
    Seen,
    chroma_distance,
    coarse_colours,
    warp_into,
)
from engine.verify.cells import CELL, cell_places, cell_spreads, covered, found_again, padded
from engine.verify.evidence import Evidence
from engine.verify.reference import PLAIN, Reference, to_lab

_DRAWN = 1.5 * PLAIN
"""Standard deviation of lightness from which on a cell says something; a plain cell of one picture beside a drawn one
of the other tells them apart, so that one of the two is enough."""
_SAME = 0.9
"""Correlation of two pictures' cells from which on they show the same, for what printing and compression take."""
_FEW_CELLS = 20.0
"""Two thirds of one high-contrast cell that differs; fewer differences say less."""
_SAME_CHROMA, _CLEAR_CHROMA, _CHROMA_UNIT = 6.0, 40.0, 10.0
"""Distances in Lab units: below the first two colours count as the same, from the sum of the first two on they differ
as clearly as any; the third makes `Duel.colour` about 1 for a clear case. These numbers were chosen by judgement, and
the duel as a whole by trial (docs/decisions/0003); the answer model weighs what it gives."""


@dataclass(frozen=True)
class Duel:
    """One picture against its rival. The fields' names stand in `calibration.json`."""

    rival: float
    """1 where there is one."""
    structure: float
    colour: float
    """Above 0 where the photo is nearer to the picture than to the rival, weighted by how much the two differ."""
    alike: float
    """Mean correlation of the two with each other."""
    shared: float
    """Share of the picture's frame that all three cover."""


NO_RIVAL = Duel(0.0, 0.0, 0.0, 0.0, 0.0)
UNMET = Duel(1.0, 0.0, 0.0, 0.0, 0.0)
"""There is a rival, but the two were not compared."""


def duel(
    reference: Reference,
    H_picture_to_photo: NDArray[np.float64],
    rival: Reference,
    H_rival_to_photo: NDArray[np.float64],
    photo: ColorImage,
    *,
    seen: Seen | None = None,
) -> Duel:
    """photo: RGB uint8; homographies in pixels of these images. seen: what `engine.verify.appearance.see` made of the
    picture, the photo and its homography, where that is at hand."""
    if seen is None:
        shown, inside = warp_into(photo, H_picture_to_photo @ reference.to_picture, reference.size)
        lab = to_lab(shown)
    else:
        lab, inside = seen.lab, seen.mask
    H_frame_to_rival = np.linalg.pinv(H_rival_to_photo) @ H_picture_to_photo @ reference.to_picture
    other, there = warp_into(rival.picture, H_frame_to_rival, reference.size)
    mask = inside & there
    if mask.mean() < LEAST_SHARED:
        return Duel(1.0, 0.0, 0.0, 0.0, float(mask.mean()))
    labs = reference.lab, to_lab(other), lab
    structure, alike = _structure(*(lab[..., 0] for lab in labs), mask=mask)
    return Duel(1.0, structure, _colour(*coarse_colours(*labs, mask=mask)), alike, float(mask.mean()))


def _structure(
    ours: FloatArray, theirs: FloatArray, seen: FloatArray, *, mask: NDArray[np.bool_]
) -> tuple[float, float]:
    height, width = ours.shape
    bordered_seen, bordered_theirs = padded(seen), padded(theirs)
    places = cell_places((width, height), CELL // 2)
    spreads = np.stack([cell_spreads(image, places) for image in (ours, theirs)], 1)
    compared = (covered(mask, places) == 1) & (spreads.max(1) >= _DRAWN)
    difference = total = 0.0
    resemblances = []
    for (left, top), (spread_a, spread_b) in zip(places[compared].tolist(), spreads[compared].tolist(), strict=True):
        at = left, top
        drawn_a, drawn_b = spread_a > PLAIN, spread_b > PLAIN
        alike = found_again(bordered_theirs, ours, at)[0] if drawn_a and drawn_b else 0.0
        resemblances.append(alike)
        weight = max(0.0, _SAME - alike) * min(max(spread_a, spread_b), HIGH_CONTRAST)
        if weight:
            for_a = found_again(bordered_seen, ours, at)[0] if drawn_a else 0.0
            for_b = found_again(bordered_seen, theirs, at)[0] if drawn_b else 0.0
            difference += weight * (for_a - for_b)
            total += weight
    return difference / (total + _FEW_CELLS), float(np.mean(resemblances)) if resemblances else 0.0


def _colour(ours: FloatArray, theirs: FloatArray, seen: FloatArray) -> float:
    if not len(ours):
        return 0.0
    apart = np.sqrt(((ours[:, 1:] - theirs[:, 1:]) ** 2).sum(1))
    weight = np.clip(apart - _SAME_CHROMA, 0, _CLEAR_CHROMA)
    gain = chroma_distance(theirs, seen) - chroma_distance(ours, seen)
    return float((weight * gain).sum() / (weight.sum() + _CLEAR_CHROMA) / _CHROMA_UNIT)


def compare_rivals(one: Evidence, other: Evidence, photo: ColorImage) -> Duel:
    """The duel of two candidates; only that there is a rival, where a picture was not kept."""
    if one.reference is None or other.reference is None:
        return UNMET
    return duel(one.reference, one.H_kept_to_photo, other.reference, other.H_kept_to_photo, photo, seen=one.seen)
