"""Where a simulated photo shows its picture: perspective, and what paper does."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.values import FloatArray


@dataclass(frozen=True)
class Warp:
    """Where each photo pixel comes from in the picture."""

    H_photo_to_plane: NDArray[np.float64]
    """(3, 3): maps photo pixels to the flat, visible face, which is [-1, 1] in both axes."""
    bend: float
    """Half the angle, in radians, that a curved picture wraps around a vertical cylinder; 0 for a flat one."""
    size: tuple[int, int]
    """The picture's width and height."""
    waves: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    """(W, 4): direction, wave number, phase and amplitude of each ripple of the paper, in plane coordinates."""
    folds: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    """(F, 3): direction, offset and lost share of each straight crease, behind which the paper leans away."""

    @property
    def flat(self) -> bool:
        """Whether a homography says all."""
        return self.bend == 0 and not len(self.waves) and not len(self.folds)

    def photo_to_picture(self, xy: FloatArray) -> FloatArray:
        """(N, 2) photo pixels to picture pixels; NaN where a curved face is not visible."""
        H = self.H_photo_to_plane.astype(np.float32)
        depth = xy @ H[2, :2] + H[2, 2]
        plane = (xy @ H[:2, :2].T + H[:2, 2]) / np.where(depth <= 1e-9, np.nan, depth)[:, None]
        if self.bend > 0:
            with np.errstate(invalid="ignore"):
                plane[:, 0] = np.arcsin(plane[:, 0] * np.sin(self.bend)) / self.bend
        for direction, number, phase, amplitude in self.waves.astype(np.float32):
            along = np.array([np.cos(direction), np.sin(direction)], np.float32)
            plane = plane + amplitude * np.sin(number * (plane @ along) + phase)[:, None] * along
        for direction, offset, lost in self.folds.astype(np.float32):
            along = np.array([np.cos(direction), np.sin(direction)], np.float32)
            plane = plane + lost * np.maximum(0, plane @ along - offset)[:, None] * along
        width, height = self.size
        return (plane + 1) * np.array([width / 2, height / 2], np.float32) - 0.5


def random_warp(
    rng: np.random.Generator,
    *,
    picture_size: tuple[int, int],
    photo_size: tuple[int, int],
    strength: float,
    uneven: bool = True,
) -> Warp:
    """Picture at 18-110 % of the frame, tilt up to 50 degrees, all in-plane angles (small ones most). uneven: its
    paper may have waves and folds."""
    width, height = picture_size
    tilt = np.deg2rad(rng.uniform(0, 50 * strength))
    axis = rng.uniform(0, 2 * np.pi)
    roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.2 * strength else np.deg2rad(rng.normal(0, 10))
    direction = np.array([np.cos(axis), np.sin(axis), 0.0])
    rotation = cv2.Rodrigues(direction * tilt)[0] @ cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0]
    half = np.array([width, height]) / max(width, height)
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * np.array([*half, 1])
    seen = corners @ rotation.T
    distance = rng.uniform(2.2, 6)
    seen = seen[:, :2] * (distance / (distance + seen[:, 2:]))
    extent = (seen.max(0) - seen.min(0)) / np.array(photo_size)
    share = rng.uniform(0.18, 1.1) if rng.random() < strength else rng.uniform(0.6, 1.0)
    seen = (seen - (seen.max(0) + seen.min(0)) / 2) * (share / extent.max())
    slack = np.maximum(0, np.array(photo_size) - (seen.max(0) - seen.min(0))) / 2
    shift = rng.uniform(-1, 1, 2) * (slack + 0.1 * np.array(photo_size) * strength)
    seen = seen + np.array(photo_size) / 2 + shift
    plane = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    bend = float(rng.uniform(0.3, 1.2)) if rng.random() < 0.15 * strength else 0.0
    H = np.asarray(cv2.getPerspectiveTransform(seen.astype(np.float32), plane), np.float64)
    if np.linalg.inv(H)[2, 2] < 0:  # the photo's first pixel lies beyond the horizon, the picture in front of it
        H = -H
    waves, folds = np.zeros((0, 4)), np.zeros((0, 3))
    if uneven and rng.random() < 0.25 * strength:
        count = int(rng.integers(1, 4))
        number = rng.uniform(1, 6, count)
        # A ripple of wave number k may not fold the plane over itself: k times its amplitude stays far below 1.
        amplitude = rng.uniform(0, 0.12, count) / number
        waves = np.c_[rng.uniform(0, np.pi, count), number, rng.uniform(0, 2 * np.pi, count), amplitude]
    if uneven and rng.random() < 0.15 * strength:
        count = int(rng.integers(1, 3))
        folds = np.c_[rng.uniform(0, 2 * np.pi, count), rng.uniform(-0.5, 0.5, count), rng.uniform(0, 0.4, count)]
    return Warp(H, bend, picture_size, waves, folds)
