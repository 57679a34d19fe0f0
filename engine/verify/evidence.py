"""Verification of the best candidates: matches, homography, outline, appearance; their figures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.describe.query import PhotoSide
from engine.describe.records import unpack
from engine.values import Array, ByteArray, ColorImage
from engine.verify.appearance import compare
from engine.verify.homography import quad_is_sane
from engine.verify.matching import Geometry, match

FEWEST_INLIERS = 6
"""A homography has 8 degrees of freedom: 4 matches always fit, 6 begin to say something."""


@dataclass(frozen=True)
class Candidate:
    """A picture to verify. rank_score: of the ranking by geometry; rows: (n, 2) uint64 keypoints; size:
    width and height of the picture in its 480-pixel frame; orb: (n, 32) uint8 for the verifier "orb"."""

    slot: int
    picture_id: int
    rank_score: float
    rows: Array
    size: tuple[int, int]
    orb: ByteArray | None = None


@dataclass(frozen=True)
class Verified:
    """A candidate with a sane outline, and the figures that the calibration reads."""

    candidate: Candidate
    geometry: Geometry
    figures: dict[str, float]


def verify_geometry(photo: PhotoSide, candidate: Candidate) -> Verified | None:
    """None where the matches support no outline that a camera can see."""
    geometry = match(photo, candidate.rows, candidate.orb)
    if geometry is None or len(geometry.photo_rows) < FEWEST_INLIERS:
        return None
    if not quad_is_sane(geometry.H_picture_to_photo, candidate.size, photo.features.size):
        return None
    return Verified(candidate, geometry, geometry_figures(candidate, geometry))


def geometry_figures(candidate: Candidate, geometry: Geometry) -> dict[str, float]:
    inliers = len(geometry.picture_rows)
    xy = unpack(candidate.rows)[0][geometry.picture_rows]
    hull = cv2.contourArea(cv2.convexHull(xy)) / (candidate.size[0] * candidate.size[1])
    return {
        "inliers": float(np.log(inliers)),
        "share": inliers / max(geometry.expected, inliers, 1),
        "similarity": geometry.similarity,
        "spread": float(np.sqrt(hull)),
        "rank_score": float(np.log1p(candidate.rank_score)),
        "ratio_kept": geometry.ratio_inliers / max(geometry.matches, 1),
    }


def verify_all(photo: PhotoSide, candidates: Sequence[Candidate], *, pool: Executor | None = None) -> list[Verified]:
    """Those of the candidates (best first) that verify, most inliers first. Ends early once one is beyond
    doubt and the next are far behind it."""
    found: list[Verified] = []
    step = 1 if pool is None else 2
    for start in range(0, len(candidates), step):
        chunk = candidates[start : start + step]
        if pool is None or len(chunk) == 1:
            results = [verify_geometry(photo, c) for c in chunk]
        else:
            other = pool.submit(verify_geometry, photo, chunk[1])
            results = [verify_geometry(photo, chunk[0]), other.result()]
        found += [r for r in results if r is not None]
        if start + step >= 2 and _beyond_doubt(found, candidates[start + step :]):
            break
    return sorted(found, key=lambda v: -len(v.geometry.picture_rows))


def _beyond_doubt(found: list[Verified], rest: Sequence[Candidate]) -> bool:
    best = max(found, key=lambda v: len(v.geometry.picture_rows), default=None)
    if best is None or len(best.geometry.picture_rows) < 30:
        return False
    return not rest or rest[0].rank_score < 0.25 * best.candidate.rank_score


@dataclass(frozen=True)
class Looked:
    """A verified candidate, its kept picture (None where there is none) and where that lies in the photo.

    H_kept_to_photo: 3x3, pixels of the kept picture to those of the working photo; figures: all of them.
    """

    verified: Verified
    picture: ColorImage | None
    H_kept_to_photo: NDArray[np.float64]
    figures: dict[str, float]


def look(verified: Verified, photo: ColorImage, picture: ColorImage | None) -> Looked:
    """Adds the figures of structure and colour, where the picture was kept. photo: the working image."""
    H = verified.geometry.H_picture_to_photo
    if picture is None:
        return Looked(verified, None, H, verified.figures)
    to_frame = verified.candidate.size[0] / picture.shape[1]
    H = H @ np.diag([to_frame, to_frame, 1.0])
    return Looked(verified, picture, H, {**verified.figures, **vars(compare(picture, photo, H))})
