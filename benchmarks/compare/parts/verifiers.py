"""Matches between two described images, and the homography that they support: the parts of a verifier."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.compare.methods import Estimator, Verifier
from benchmarks.compare.parts.feature_store import Arrays
from engine.describe.signatures import popcount
from engine.kernels import kernel
from engine.values import Array, FloatArray
from engine.verify.homography import quad_is_sane

PIXELS = 5.0
"""Inlier limit in pixels of the photo at 640, the same for all estimators."""
FEWEST = 4
"""Matches below which there is no homography to find."""
_CONFIDENCE, _ITERATIONS = 0.999, 1000
"""Of searches with so many draws, 98 % draw four right matches at least once where a quarter of them are right."""


@dataclass(frozen=True)
class Seen:
    """How a photo shows a picture, in pixels of the working images."""

    H_picture_to_photo: NDArray[np.float64]
    """(3, 3)"""
    inliers: FloatArray
    """(M, 4) float32: x, y in the picture and u, v in the photo."""


def verify(photo: Arrays, picture: Arrays, verifier: Verifier) -> Seen | None:
    """How the photo shows the picture, by the verifier's matches; None where they support no outline that a camera can
    see."""
    rows, columns = match(photo["descriptors"], picture["descriptors"], ratio=verifier.ratio, mutual=verifier.mutual)
    return fit(picture["xy"][columns], photo["xy"][rows], picture["size"], photo["size"], verifier.estimator)


def match(photo: Array, picture: Array, *, ratio: float | None, mutual: bool) -> tuple[Array, Array]:
    """Photo rows and picture rows of the matches, best first (PROSAC draws from the front): each photo keypoint's
    nearest. Empty where a side has fewer than two keypoints. uint64 descriptors are bits, others vectors."""
    if min(len(photo), len(picture)) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if photo.dtype == np.uint64:
        column, best, second, back = _nearest_bits(photo, picture)
    else:
        column, best, second, back = _nearest_vectors(_unit(photo) @ _unit(picture).T)
    kept = np.ones(len(photo), bool)
    quality = best / np.maximum(second, 1e-6)
    if ratio is not None:
        kept &= quality <= ratio
    if mutual:
        kept &= back[column] == np.arange(len(photo))
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(quality[rows], kind="stable")]
    return rows, column[rows]


def _unit(descriptors: Array) -> FloatArray:
    values = descriptors.astype(np.float32)
    unit: FloatArray = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.float32(1e-9))
    return unit


@kernel()
def _nearest_bits(photo, picture):  # type: ignore[no-untyped-def]  # compiled by Numba
    """(N,) each photo row's nearest picture row, the bits in which they differ, and those of the second nearest; (M,)
    each picture row's nearest photo row."""
    rows, columns, words = photo.shape[0], picture.shape[0], photo.shape[1]
    column, back = np.zeros(rows, np.int64), np.zeros(columns, np.int64)
    best, second = np.full(rows, np.float32(1e9)), np.full(rows, np.float32(1e9))
    best_back = np.full(columns, 1_000_000)
    for r in range(rows):
        first, next_best, chosen = 1_000_000, 1_000_000, 0
        for c in range(columns):
            # The first four words, all that ORB has, are written out: a loop here takes three times as long.
            distance = (
                popcount(photo[r, 0] ^ picture[c, 0])  # type: ignore[call-arg, var-annotated]
                + popcount(photo[r, 1] ^ picture[c, 1])  # type: ignore[call-arg]
                + popcount(photo[r, 2] ^ picture[c, 2])  # type: ignore[call-arg]
                + popcount(photo[r, 3] ^ picture[c, 3])  # type: ignore[call-arg]
            )
            for w in range(4, words):
                distance += popcount(photo[r, w] ^ picture[c, w])
            if distance < first:
                next_best, first, chosen = first, distance, c
            elif distance < next_best:
                next_best = distance
            if distance < best_back[c]:
                best_back[c], back[c] = distance, r
        column[r], best[r], second[r] = chosen, first, next_best
    return column, best, second, back


@kernel()
def _nearest_vectors(similarity):  # type: ignore[no-untyped-def]  # compiled by Numba
    """The same from unit vectors' inner products (N, M), with Euclidean distances."""
    rows, columns = similarity.shape
    column, back = np.zeros(rows, np.int64), np.zeros(columns, np.int64)
    best, second = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
    best_back = np.full(columns, np.float32(-2))
    for r in range(rows):
        first, next_best, chosen = np.float32(-2), np.float32(-2), 0
        for c in range(columns):
            value = similarity[r, c]
            if value > first:
                next_best, first, chosen = first, value, c
            elif value > next_best:
                next_best = value
            if value > best_back[c]:
                best_back[c], back[c] = value, r
        column[r] = chosen
        best[r] = np.sqrt(max(np.float32(2) - 2 * first, np.float32(0)))
        second[r] = np.sqrt(max(np.float32(2) - 2 * next_best, np.float32(0)))
    return column, best, second, back


def fit(
    source: FloatArray, target: FloatArray, picture_size: Array, photo_size: Array, estimator: Estimator
) -> Seen | None:
    """The homography of matched points (M, 2), best first; None where there is none that a camera can see."""
    H, kept = find_homography(source, target, estimator)
    if H is None or len(kept) < FEWEST:
        return None
    width, height = (int(v) for v in picture_size)
    if not quad_is_sane(H, (width, height), (int(photo_size[0]), int(photo_size[1]))):
        return None
    return Seen(H, np.concatenate([source[kept], target[kept]], axis=1).astype(np.float32))


def find_homography(
    source: FloatArray, target: FloatArray, estimator: Estimator
) -> tuple[NDArray[np.float64] | None, Array]:
    """The homography and the rows of its inliers; None and no rows for fewer than FEWEST points. Seeds are fixed: the
    same points give the same homography. RANSAC is OpenCV's (Fischler & Bolles 1981), USAC-MAGSAC Barath et al. 2020,
    PROSAC Chum & Matas 2005."""
    nothing = None, np.zeros(0, np.int64)
    if len(source) < FEWEST:
        return nothing
    a, b = source.astype(np.float64), target.astype(np.float64)
    if estimator == "ransac":
        H, mask = cv2.findHomography(a, b, cv2.RANSAC, PIXELS, maxIters=_ITERATIONS, confidence=_CONFIDENCE)
    else:
        H, mask = cv2.findHomography(a, b, _usac(estimator))
    if H is None or not np.isfinite(H).all():
        return nothing
    return np.asarray(H, np.float64), np.flatnonzero(mask.ravel())


def _usac(estimator: Estimator) -> cv2.UsacParams:
    parameters = cv2.UsacParams()
    parameters.randomGeneratorState = 1
    parameters.confidence, parameters.maxIterations, parameters.threshold = _CONFIDENCE, _ITERATIONS, PIXELS
    parameters.isParallel = False
    if estimator == "usac_magsac":
        parameters.score = cv2.SCORE_METHOD_MAGSAC
        parameters.loMethod = cv2.LOCAL_OPTIM_SIGMA
        parameters.sampler = cv2.SAMPLING_UNIFORM
    else:
        parameters.score = cv2.SCORE_METHOD_MSAC
        parameters.loMethod = cv2.LOCAL_OPTIM_INNER_LO
        parameters.sampler = cv2.SAMPLING_PROSAC
    return parameters
