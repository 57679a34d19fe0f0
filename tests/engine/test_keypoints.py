"""Keypoints: how many, where, and what is cut out around them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.describe.keypoints import (
    LEVEL_FACTOR,
    LEVELS,
    PHOTO_DETECTOR,
    PICTURE_DETECTOR,
    DetectorSettings,
    Keypoints,
    detect,
)
from engine.describe.patches import PATCH_EXTENT, PATCH_SIDE, extract_patches
from engine.image import resize_long_side, to_gray
from engine.values import resize_matrix
from tests.support.drawn import flat, poster

GRAY = to_gray(poster(3))


def text_block() -> np.ndarray:
    """A dense, contrasty block of letters in one corner of a picture of weaker contrast."""
    rng = np.random.default_rng(2)
    image = cv2.resize(rng.integers(0, 256, (48, 36), np.uint8), (360, 480), interpolation=cv2.INTER_NEAREST)
    image = ((image.astype(np.float32) - 128) * 0.3 + 128).astype(np.uint8)
    for row in range(12):
        letters = "".join(chr(int(c)) for c in rng.integers(65, 91, 9))
        cv2.putText(image, letters, (4, 14 + 11 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1)
    return image


def cells_of(keypoints: Keypoints, size: tuple[int, int], cells: int) -> np.ndarray:
    at = np.minimum((keypoints.xy / np.array(size) * cells).astype(int), cells - 1)
    return np.bincount(at @ [1, cells], minlength=cells**2)


class TestDetect:
    def test_shapes(self) -> None:
        """Keypoints are float32 arrays of one length, in the ranges that are promised."""
        found = detect(GRAY, PICTURE_DETECTOR)
        assert found.xy.shape == (len(found), 2)
        assert {a.dtype for a in (found.xy, found.scale, found.angle, found.response)} == {np.dtype(np.float32)}
        assert found.scale.shape == found.angle.shape == found.response.shape
        assert ((found.xy >= 0) & (found.xy <= [359, 479])).all()
        assert ((found.angle >= 0) & (found.angle < 2 * np.pi)).all()
        levels = np.log(found.scale) / np.log(LEVEL_FACTOR)
        assert np.allclose(levels, np.rint(levels), atol=1e-4)
        assert levels.min() >= 0
        assert levels.max() <= LEVELS - 1 + 1e-4

    def test_count(self) -> None:
        """There are never more than asked for, and as many where the picture has them."""
        for count in (1, 50, 400):
            assert len(detect(GRAY, DetectorSettings(long_side=480, count=count))) == count

    @pytest.mark.parametrize("grey", [0, 128, 255])
    def test_featureless(self, grey: int) -> None:
        """A plain picture has no keypoints, in arrays of the usual shapes."""
        found = detect(to_gray(flat(grey=grey)), PICTURE_DETECTOR)
        assert len(found) == 0
        assert found.xy.shape == (0, 2)

    @pytest.mark.parametrize("detector", [PICTURE_DETECTOR, PHOTO_DETECTOR])
    @pytest.mark.parametrize("size", [(1, 1), (1, 480), (480, 1), (8, 8), (28, 28), (29, 29), (480, 32), (32, 480)])
    def test_tiny(self, size: tuple[int, int], detector: DetectorSettings) -> None:
        """A picture smaller than ORB's neighbourhood is no crash."""
        noise = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        assert len(detect(noise, detector)) <= detector.count

    def test_same_every_time(self) -> None:
        """The same picture gives the same keypoints in the same order."""
        a, b = detect(GRAY, PHOTO_DETECTOR), detect(GRAY, PHOTO_DETECTOR)
        assert (a.xy == b.xy).all()
        assert (a.angle == b.angle).all()

    def test_faint_pictures_get_a_second_detection(self) -> None:
        """Where contrast is low, a lower threshold finds what the first one missed."""
        faint = (GRAY.astype(np.float32) * 0.05 + 20).astype(np.uint8)
        once = DetectorSettings(long_side=480, count=400, faint_below=0)
        twice = DetectorSettings(long_side=480, count=400, faint_below=400)
        assert len(detect(faint, twice)) > 1.5 * len(detect(faint, once))

    def test_contrast(self) -> None:
        """Where one half of a photo lies in shadow, equalising finds more of its keypoints there; the image that
        patches are cut from stays as it was."""
        shaded = GRAY.copy()
        shaded[:, :180] = shaded[:, :180] // 12
        before, in_shadow = shaded.copy(), []
        for contrast in (0.0, 1.0):
            found = detect(shaded, DetectorSettings(long_side=480, count=400, contrast=contrast))
            in_shadow.append(int((found.xy[:, 0] < 180).sum()))
        assert in_shadow[1] > 1.1 * in_shadow[0]
        assert (shaded == before).all()


class TestSpread:
    def test_a_block_of_text_does_not_take_all(self) -> None:
        """Keypoints are taken from all parts of the picture in turn: no cell of 16 takes half of them, and none
        stays empty."""
        found = detect(text_block(), PICTURE_DETECTOR)
        counts = cells_of(found, (360, 480), 4)
        assert counts.max() <= len(found) / 2
        assert counts.min() > 0

    def test_orb_alone_crowds(self) -> None:
        """The picture of that test is a hard one: of ORB's own choice more lies in the block than of ours."""
        raw = cv2.ORB.create(nfeatures=400, fastThreshold=8, edgeThreshold=14).detect(text_block(), None)
        theirs = np.mean([p.pt[0] < 180 and p.pt[1] < 150 for p in raw])
        ours = (detect(text_block(), PICTURE_DETECTOR).xy < [180, 150]).all(1).mean()
        assert theirs > ours + 0.15

    def test_the_first_ones_are_spread_too(self) -> None:
        """Any beginning of the list covers the picture."""
        found = detect(text_block(), PICTURE_DETECTOR)
        assert np.count_nonzero(cells_of(found.take(np.arange(100)), (360, 480), 4)) >= 10


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


class TestResize:
    def test_long_side(self) -> None:
        """The longer side has the length that was asked for, the shorter one follows."""
        assert resize_long_side(poster(3), 240).shape == (240, 180, 3)
        assert resize_long_side(poster(3), 960).shape == (960, 720, 3)
        assert resize_long_side(GRAY, 480) is GRAY

    def test_a_thread_stays_a_pixel_wide(self) -> None:
        """The shorter side never becomes nothing."""
        assert resize_long_side(np.zeros((2, 4000), np.uint8), 100).shape == (1, 100)

    @pytest.mark.parametrize("to", [(180, 240), (77, 301), (720, 960)])
    def test_coordinates_come_back(self, to: tuple[int, int]) -> None:
        """There and back again is where one was."""
        there, back = resize_matrix((360, 480), to), resize_matrix(to, (360, 480))
        assert np.allclose(back @ there, np.eye(3))

    @pytest.mark.parametrize("to", [(180, 240), (90, 160), (720, 960)])
    def test_coordinates_are_those_of_the_pixels(self, to: tuple[int, int]) -> None:
        """A blob lies in the resized image where the matrix says: pixel centres are whole numbers."""
        y, x = np.mgrid[0:480, 0:360]
        at = np.array([141.3, 222.7])
        blob = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 12.0**2)).astype(np.float32)
        small = cv2.resize(blob, to, interpolation=cv2.INTER_AREA if to[0] < 360 else cv2.INTER_LINEAR)
        v, u = np.mgrid[0 : to[1], 0 : to[0]]
        centroid = [(small * u).sum() / small.sum(), (small * v).sum() / small.sum(), 1]
        assert np.allclose(resize_matrix((360, 480), to) @ [*at, 1], centroid, atol=0.05)
