"""One-to-one matches between a photo's keypoints and a stored picture's, and the homography they support."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.describe.orb_bits import orb_similarities
from engine.describe.query import Query
from engine.describe.records import unpack
from engine.describe.signatures import unpack_signatures
from engine.kernels import kernel
from engine.values import Array, ByteArray, FloatArray
from engine.verify.homography import INLIER_PIXELS, find_homography, project

RATIO = 0.92
"""A match's distance over that of the next best keypoint, at most; chosen on the fit half of the sets."""
GUIDED = 0.35
"""Least similarity of a pair that meets under the homography; random pairs have 0 with a spread of 0.125."""
_ENOUGH_FOR_LEAST_SQUARES = 8
"""Inliers: twice the four that always fit, so that errors begin to cancel; chosen by judgement."""


@dataclass(frozen=True)
class Alignment:
    """How a picture lies in a photo, and the M matches that say so."""

    H_picture_to_photo: NDArray[np.float64]
    """3x3, pixels at the working sizes: 480 of the picture, 640 or 960 of the photo."""
    photo_rows: Array
    picture_rows: Array
    """(M,) keypoint numbers of the inliers."""
    matches: int
    """One-to-one matches before RANSAC."""
    ratio_inliers: int
    """How many of these were RANSAC's inliers."""
    similarity: float
    """Mean of the inliers."""
    expected: int
    """The picture's keypoints that lie inside the photo under H."""


def similarities(query: Query, rows: Array, orb: ByteArray | None = None) -> FloatArray:
    """(N, M) similarity in [-1, 1] of photo descriptors and the stored signatures' corners of the cube:
    the photo keeps its floats, which tells near bits from far ones. Where both have ORB's bits, of these."""
    if orb is not None and query.features.orb is not None:
        return orb_similarities(query.features.orb, orb)
    signs = unpack_signatures(rows[:, 0])
    return query.centred @ (signs.T / np.float32(signs.shape[1] ** 0.5))


def one_to_one(similarity: FloatArray, *, ratio: float = RATIO) -> tuple[Array, Array, FloatArray]:
    """Rows, columns and quality (smaller is better, best first) of the matches that are each other's
    nearest and pass the ratio test of distances (Lowe 2004, section 7.1)."""
    if min(similarity.shape) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    column, best, second, row_of_column = _nearest(similarity)
    quality = np.sqrt(np.maximum(1 - best, 0) / np.maximum(1 - second, 1e-6))
    rows = np.flatnonzero((row_of_column[column] == np.arange(len(column))) & (quality <= ratio))
    rows = rows[np.argsort(quality[rows], kind="stable")]
    return rows, column[rows], quality[rows]


@kernel()
def _nearest(similarity):  # type: ignore[no-untyped-def]  # compiled by Numba
    """Nearest column of each row, its similarity and the second best similarity; nearest row of each column."""
    rows, columns = similarity.shape
    column, row_of_column = np.zeros(rows, np.int64), np.zeros(columns, np.int64)
    best, second = np.full(rows, np.float32(-2)), np.full(rows, np.float32(-2))
    best_of_column = np.full(columns, np.float32(-2))
    for r in range(rows):
        for c in range(columns):
            value = similarity[r, c]
            if value > best[r]:
                second[r], best[r], column[r] = best[r], value, c
            elif value > second[r]:
                second[r] = value
            if value > best_of_column[c]:
                best_of_column[c], row_of_column[c] = value, r
    return column, best, second, row_of_column


def match(query: Query, rows: Array, orb: ByteArray | None = None) -> Alignment | None:
    """Matches, homography, and a second, guided pass: keypoints that meet under the homography and are
    alike count as inliers even where the ratio test had refused them (repeated letters, for one)."""
    similarity = similarities(query, rows, orb)
    a, b, _ = one_to_one(similarity)
    matches = len(a)
    xy = unpack(rows)[0]
    points, size = query.features.keypoints.xy, query.features.size
    H, inliers = find_homography(xy[b], points[a])
    if H is None or len(inliers) < 4:
        return None
    a, b, expected = _guided(similarity, xy, points, H, size)
    if len(a) >= _ENOUGH_FOR_LEAST_SQUARES:
        least_squares = cv2.findHomography(xy[b].astype(np.float64), points[a].astype(np.float64), 0)[0]
        if least_squares is not None and np.isfinite(least_squares).all():
            refined = np.asarray(least_squares, np.float64)
            again = _guided(similarity, xy, points, refined, size)
            if len(again[0]) >= len(a):
                H, (a, b, expected) = refined, again
    mean = float(similarity[a, b].mean()) if len(a) else 0.0
    return Alignment(H, a, b, matches, len(inliers), mean, expected)


def _guided(
    similarity: FloatArray, xy: FloatArray, points: FloatArray, H: NDArray[np.float64], size: tuple[int, int]
) -> tuple[Array, Array, int]:
    projected = project(H, xy).astype(np.float32)
    inside = ((projected >= 0) & (projected < np.array(size))).all(1)
    rows, columns = _meeting(similarity, projected, points)
    return rows, columns, int(inside.sum())


@kernel()
def _meeting(similarity, projected, points):  # type: ignore[no-untyped-def]  # compiled by Numba
    """Pairs that are each other's most similar among those that meet within INLIER_PIXELS."""
    rows, columns = similarity.shape
    limit = np.float32(INLIER_PIXELS**2)
    column, row_of_column = np.full(rows, -1), np.full(columns, -1)
    best, best_of_column = np.full(rows, np.float32(GUIDED)), np.full(columns, np.float32(GUIDED))
    for c in range(columns):
        x, y = projected[c]
        for r in range(rows):
            dx, dy = points[r, 0] - x, points[r, 1] - y
            if dx * dx + dy * dy < limit:
                value = similarity[r, c]
                if value > best[r]:
                    best[r], column[r] = value, c
                if value > best_of_column[c]:
                    best_of_column[c], row_of_column[c] = value, r
    kept = np.array([r for r in range(rows) if column[r] >= 0 and row_of_column[column[r]] == r], np.int64)
    return kept, column[kept]
