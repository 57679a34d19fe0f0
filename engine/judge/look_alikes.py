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
    CELL,
    PLAIN,
    SHIFT,
    chroma_distance,
    coarse_colours,
    correlation,
    frame_size,
    padded,
    rectify,
    to_lab,
    warp_into,
)
from engine.verify.evidence import Looked


@dataclass(frozen=True)
class Duel:
    """One picture against its rival. rival: 1 where there is one; structure, colour: above 0 where the photo
    is nearer to the picture than to the rival, weighted by how much the two differ; alike: mean correlation
    of the two with each other; shared: share of the picture's frame that all three cover."""

    rival: float
    structure: float
    colour: float
    alike: float
    shared: float


NO_RIVAL = Duel(0.0, 0.0, 0.0, 0.0, 0.0)
UNMET = Duel(1.0, 0.0, 0.0, 0.0, 0.0)
"""There is a rival, but the two were not compared."""


def duel(
    picture: ColorImage,
    H_picture_to_photo: NDArray[np.float64],
    rival: ColorImage,
    H_rival_to_photo: NDArray[np.float64],
    photo: ColorImage,
) -> Duel:
    """All RGB uint8; homographies in pixels of these images."""
    reference, seen, covered = rectify(picture, photo, H_picture_to_photo)
    size = frame_size(picture)
    to_picture = np.diag([picture.shape[1] / size[0], picture.shape[0] / size[1], 1.0])
    H_frame_to_rival = np.linalg.pinv(H_rival_to_photo) @ H_picture_to_photo @ to_picture
    other, there = warp_into(rival, H_frame_to_rival, size)
    mask = covered & there
    if mask.mean() < 0.05:
        return Duel(1.0, 0.0, 0.0, 0.0, float(mask.mean()))
    labs = to_lab(reference), to_lab(other), to_lab(seen)
    structure, alike = _structure(*(lab[..., 0] for lab in labs), mask=mask)
    return Duel(1.0, structure, _colour(*coarse_colours(*labs, mask=mask)), alike, float(mask.mean()))


def _structure(
    ours: FloatArray, theirs: FloatArray, seen: FloatArray, *, mask: NDArray[np.bool_]
) -> tuple[float, float]:
    height, width = ours.shape
    windows_seen, windows_theirs = padded(seen), padded(theirs)
    difference = total = 0.0
    resemblances = []
    for top in range(0, height - CELL + 1, CELL // 2):
        for left in range(0, width - CELL + 1, CELL // 2):
            at = slice(top, top + CELL), slice(left, left + CELL)
            if not mask[at].all():
                continue
            a, b = ours[at], theirs[at]
            spread_a, spread_b = float(a.std()), float(b.std())
            if max(spread_a, spread_b) < 1.5 * PLAIN:
                continue
            around = slice(top, top + CELL + 2 * SHIFT), slice(left, left + CELL + 2 * SHIFT)
            window = windows_seen[around]
            drawn_a, drawn_b = spread_a > PLAIN, spread_b > PLAIN
            alike = correlation(windows_theirs[around], a) if drawn_a and drawn_b else 0.0
            resemblances.append(alike)
            weight = max(0.0, 0.9 - alike) * min(max(spread_a, spread_b), 30.0)
            if weight:
                for_a = correlation(window, a) if drawn_a else 0.0
                for_b = correlation(window, b) if drawn_b else 0.0
                difference += weight * (for_a - for_b)
                total += weight
    # 20: two thirds of one high-contrast cell that differs; fewer differences say less.
    return difference / (total + 20), float(np.mean(resemblances)) if resemblances else 0.0


def _colour(ours: FloatArray, theirs: FloatArray, seen: FloatArray) -> float:
    if not len(ours):
        return 0.0
    apart = np.sqrt(((ours[:, 1:] - theirs[:, 1:]) ** 2).sum(1))
    weight = np.clip(apart - 6, 0, 40)
    gain = chroma_distance(theirs, seen) - chroma_distance(ours, seen)
    return float((weight * gain).sum() / (weight.sum() + 40) / 10)


def meet(one: Looked, other: Looked, photo: ColorImage) -> Duel:
    """The duel of two candidates; only that there is a rival, where a picture was not kept."""
    if one.picture is None or other.picture is None:
        return UNMET
    return duel(one.picture, one.H_kept_to_photo, other.picture, other.H_kept_to_photo, photo)
