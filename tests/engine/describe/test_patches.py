"""What is cut out around keypoints."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.describe.keypoints import (
    PICTURE_DETECTOR,
    Keypoints,
    detect,
)
from engine.describe.patches import PATCH_EXTENT, PATCH_SIDE, extract_patches
from engine.image import to_gray
from tests.support.drawn import poster

GRAY = to_gray(poster(3))


def turned(keypoints: Keypoints, xy: np.ndarray, angle: float) -> Keypoints:
    return Keypoints(xy.astype(np.float32), keypoints.scale, keypoints.angle + np.float32(angle), keypoints.response)


class TestPatches:
    def test_none(self) -> None:
        """No keypoints give no patches."""
        assert extract_patches(GRAY, detect(np.zeros((64, 64), np.uint8), PICTURE_DETECTOR)).shape == (0, 32, 32)

    def test_shape(self) -> None:
        """One patch of 32 x 32 bytes for each."""
        found = detect(GRAY, PICTURE_DETECTOR)
        patches = extract_patches(GRAY, found)
        assert patches.shape == (len(found), PATCH_SIDE, PATCH_SIDE)
        assert patches.dtype == np.uint8

    @pytest.mark.parametrize("quarters", [1, 2, 3])
    def test_of_a_picture_turned_by_quarters(self, quarters: int) -> None:
        """A keypoint that turns with its picture keeps its patch."""
        found = detect(GRAY, PICTURE_DETECTOR)
        image, xy = GRAY, found.xy
        for _ in range(quarters):  # clockwise: (x, y) goes to (H - 1 - y, x)
            xy = np.stack([image.shape[0] - 1 - xy[:, 1], xy[:, 0]], 1)
            image = np.ascontiguousarray(np.rot90(image, -1))
        again = extract_patches(image, turned(found, xy, quarters * np.pi / 2))
        difference = np.abs(again.astype(int) - extract_patches(GRAY, found)).mean((1, 2))
        assert np.median(difference) < 1
        assert difference.max() < 8

    def test_of_a_picture_turned_by_thirty_degrees(self) -> None:
        """At other angles too, as far as interpolation allows."""
        found = detect(GRAY, PICTURE_DETECTOR)
        inner = found.take(np.flatnonzero((np.abs(found.xy - [180, 240]) < 100).all(1) & (found.scale < 2)))
        matrix = cv2.getRotationMatrix2D((179.5, 239.5), -30, 1)
        image = cv2.warpAffine(GRAY, matrix, (360, 480), flags=cv2.INTER_CUBIC)
        xy = inner.xy @ matrix[:, :2].T + matrix[:, 2]
        again = extract_patches(image, turned(inner, xy, np.pi / 6))
        difference = np.abs(again.astype(int) - extract_patches(GRAY, inner)).mean((1, 2))
        assert len(inner) > 30
        assert np.median(difference) < 6

    def test_bilinear(self) -> None:
        """The compiled sampling gives what bilinear interpolation, written out in NumPy, gives: inside, and where
        the patch hangs over the border."""
        rng = np.random.default_rng(3)
        side, level = PATCH_SIDE, PATCH_EXTENT
        xy = rng.uniform([0, 0], [GRAY.shape[1] - 1, GRAY.shape[0] - 1], (40, 2)).astype(np.float32)
        angle, one = rng.uniform(0, 2 * np.pi, 40).astype(np.float32), np.ones(40, np.float32)
        size = (round(GRAY.shape[1] / level), round(GRAY.shape[0] / level))
        small = cv2.resize(GRAY, size, interpolation=cv2.INTER_AREA).astype(np.float64)
        v, u = np.mgrid[0:side, 0:side] - (side - 1) / 2
        expected = np.empty((40, side, side))
        for i in range(40):
            centre = (xy[i] + 0.5) * size / np.array(GRAY.shape[::-1]) - 0.5
            x = np.clip(centre[0] + np.cos(angle[i]) * u - np.sin(angle[i]) * v, 0, size[0] - 1.001)
            y = np.clip(centre[1] + np.sin(angle[i]) * u + np.cos(angle[i]) * v, 0, size[1] - 1.001)
            left, top = x.astype(int), y.astype(int)
            a, b = x - left, y - top
            upper = small[top, left] * (1 - a) + small[top, left + 1] * a
            lower = small[top + 1, left] * (1 - a) + small[top + 1, left + 1] * a
            expected[i] = upper * (1 - b) + lower * b
        patches = extract_patches(GRAY, Keypoints(xy, one, angle, one))
        assert np.abs(patches - expected).max() < 0.6  # rounding, and float32 within

    def test_plain_surroundings(self) -> None:
        """At the border the border's pixels go on: nothing from outside comes in."""
        white = np.full((40, 40), 200, np.uint8)
        corner = Keypoints(*(np.array(v, np.float32) for v in ([[0, 0], [39, 39]], [1, 2], [0, 1], [1, 1])))
        assert (extract_patches(white, corner) == 200).all()
