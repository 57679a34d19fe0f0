"""Which keypoints of a picture are found again in photographs of it: observed in simulation, then fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from engine.describe.keypoints import PHOTO_DETECTOR, PICTURE_DETECTOR, Keypoints, detect
from engine.describe.patches import extract_patches
from engine.describe.repeatability import FIGURES, keypoint_figures
from engine.describe.signatures import unpack_signatures
from engine.describe.vocabulary import Vocabulary
from engine.image import resize_long_side, to_gray
from engine.image_files import read_rgb
from engine.values import ByteArray, FloatArray
from training.pairs.in_processes import corresponding
from training.simulation.photographs import simulate
from training.simulation.warp import Warp

NEAR_BITS = 16
"""Most signature bits in which a keypoint that is found again may differ: what the votes of the largest
galleries accept."""


def observe(
    paths: Sequence[Path],
    describe: Callable[[ByteArray], FloatArray],
    vocabulary: Vocabulary,
    *,
    seed: int = 0,
    photos: int = 2,
) -> tuple[FloatArray, np.ndarray]:
    """(M, 6) figures of the pictures' keypoints that lie inside a simulated photo, and (M,) bool: whether the
    photo has the same keypoint with a near signature. describe: patches to descriptors."""
    rng = np.random.default_rng(seed)
    figures: list[FloatArray] = [np.zeros((0, len(FIGURES)), np.float32)]
    found: list[np.ndarray] = [np.zeros(0, bool)]
    for path in paths:
        picture = read_rgb(path)
        if picture is None:
            continue
        small = resize_long_side(to_gray(picture), PICTURE_DETECTOR.long_side)
        points = detect(small, PICTURE_DETECTOR)
        signs = _signs(describe(extract_patches(small, points)), vocabulary)
        of_points = keypoint_figures(points, (small.shape[1], small.shape[0]))
        factor = small.shape[1] / picture.shape[1]
        for _ in range(photos):
            chosen = rng.integers(0, len(paths), int(rng.integers(1, 4)))
            others = [o for o in (read_rgb(paths[k], 320) for k in chosen) if o is not None]
            photo, warp = simulate(picture, others, rng, strength=float(rng.uniform(0.4, 1)))
            large = resize_long_side(to_gray(photo), PHOTO_DETECTOR.long_side)
            seen = detect(large, PHOTO_DETECTOR)
            shrink = photo.shape[1] / large.shape[1]
            in_photo = Keypoints((seen.xy + 0.5) * shrink - 0.5, seen.scale * shrink, seen.angle, seen.response)
            a, b = corresponding(points, in_photo, warp, factor)
            again = np.zeros(len(points), bool)
            if len(a):
                seen_signs = _signs(describe(extract_patches(large, seen.take(b))), vocabulary)
                again[a] = (seen_signs != signs[a]).sum(1) <= NEAR_BITS
            inside = visible(points, warp, factor, (photo.shape[1], photo.shape[0]))
            figures.append(of_points[inside])
            found.append(again[inside])
    return np.concatenate(figures), np.concatenate(found)


def visible(points: Keypoints, warp: Warp, factor: float, photo_size: tuple[int, int]) -> np.ndarray:
    """(N,) bool: which keypoints of the picture, resized by `factor`, a photo of `photo_size` (width, height)
    can show. On curved or uneven paper the plane stands for the face, which errs near the edges of
    the photo only."""
    plane = (points.xy + 0.5) / factor / (np.array(warp.size) / 2) - 1
    if not len(plane):
        return np.zeros(0, bool)
    xy = cv2.perspectiveTransform(plane[None].astype(np.float64), np.linalg.inv(warp.H_photo_to_plane))[0]
    inside: np.ndarray = ((xy >= 0) & (xy < photo_size)).all(1)
    return inside


def fit_repeatability(figures: FloatArray, found: np.ndarray) -> FloatArray:
    """(7,) float32 weights and constant of `engine.describe.repeatability.found_again`; zeros (all keypoints alike)
    where nothing, or everything, was found again."""
    if len(np.unique(found)) < 2:
        return np.zeros(len(FIGURES) + 1, np.float32)
    centre, spread = figures.mean(0), figures.std(0) + 1e-6
    fitted = LogisticRegression(C=0.1).fit((figures - centre) / spread, found)
    weights = fitted.coef_[0] / spread
    return np.append(weights, fitted.intercept_[0] - weights @ centre).astype(np.float32)


def _signs(descriptors: FloatArray, vocabulary: Vocabulary) -> FloatArray:
    return unpack_signatures(vocabulary.signatures(descriptors))
