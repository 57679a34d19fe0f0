"""The homography that matches support, and whether a camera can see its outline."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.values import Array, FloatArray

INLIER_PIXELS = 6.0
"""MAGSAC's upper bound of the noise, pixels of the photo at 640 (keypoints of coarse levels are that blunt)."""
SMALLEST_SHARE, LARGEST_SHARE = 0.003, 40.0
"""Share of the photo's area that the outline may take: below, the picture is some 30 pixels high and has hardly a
keypoint left; above, the photo shows a small detail of it. Chosen by judgement."""
MOST_FORESHORTENED = 6.0
"""Largest ratio of opposite sides, chosen by judgement: beyond it a picture is seen from its edge."""
_SEED = 1


def find_homography(
    source: FloatArray, target: FloatArray, *, threshold: float = INLIER_PIXELS
) -> tuple[NDArray[np.float64] | None, Array]:
    """USAC-MAGSAC (Barath et al. 2020) with a fixed seed; (M, 2) points; gives H and the inliers' rows."""
    if len(source) < 4:
        return None, np.zeros(0, np.int64)
    parameters = cv2.UsacParams()
    parameters.randomGeneratorState = _SEED
    parameters.confidence = 0.999
    parameters.maxIterations = 2000
    parameters.score = cv2.SCORE_METHOD_MAGSAC
    parameters.loMethod = cv2.LOCAL_OPTIM_SIGMA
    parameters.sampler = cv2.SAMPLING_UNIFORM
    parameters.threshold = threshold
    parameters.isParallel = False
    H, mask = cv2.findHomography(source.astype(np.float64), target.astype(np.float64), parameters)
    if H is None or not np.isfinite(H).all():
        return None, np.zeros(0, np.int64)
    return np.asarray(H, np.float64), np.flatnonzero(mask.ravel())


def project(H: Array, xy: Array) -> NDArray[np.float64]:
    """(N, 2) points under H; points at infinity become very large."""
    homogeneous = np.c_[xy, np.ones(len(xy))] @ H.T
    depth = homogeneous[:, 2]
    depth = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    return np.asarray(homogeneous[:, :2] / depth[:, None])


def quad_is_sane(
    H_picture_to_photo: NDArray[np.float64], picture_size: tuple[int, int], photo_size: tuple[int, int]
) -> bool:
    """Whether the outline is one that a camera can see: same orientation, convex, in front of the camera, of a
    plausible size and shape."""
    width, height = picture_size
    # Corners half a pixel inside those of `values.corners`: what the match ratio was fitted with, and no matter here.
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    depth = np.c_[corners, np.ones(4)] @ H_picture_to_photo[2]
    if not ((depth > 0).all() or (depth < 0).all()):
        return False
    quad = project(H_picture_to_photo, corners)
    edges = np.roll(quad, -1, axis=0) - quad
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if not (turns > 0).all():
        return False
    area = cv2.contourArea(quad.astype(np.float32)) / (photo_size[0] * photo_size[1])
    sides = np.linalg.norm(edges, axis=1)
    balance = max(sides[0] / sides[2], sides[2] / sides[0], sides[1] / sides[3], sides[3] / sides[1])
    return bool(SMALLEST_SHARE < area < LARGEST_SHARE and balance < MOST_FORESHORTENED)
