"""Keypoints: how many, and where."""

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
from engine.image import to_gray
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
