"""The homography that matches support, and outlines that a camera can see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from engine.verify.homography import find_homography, project, quad_is_sane

H_TRUE = np.array([[0.8, -0.2, 120.0], [0.15, 0.9, 60.0], [2e-4, -1e-4, 1.0]])


def scattered(count: int, *, outliers: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Points of a picture and of its photo under H_TRUE, and as many strangers."""
    rng = np.random.default_rng(5)
    source = rng.uniform(0, 480, (count + outliers, 2))
    target = project(H_TRUE, source) + rng.normal(0, noise, source.shape)
    target[count:] = rng.uniform(0, 640, (outliers, 2))
    return source.astype(np.float32), target.astype(np.float32)


class TestFindHomography:
    @pytest.mark.parametrize("outliers", [0, 40, 120])
    def test_recovers_the_truth(self, outliers: int) -> None:
        """The homography is found among as many and more wrong matches, to a pixel."""
        source, target = scattered(60, outliers=outliers)
        H, inliers = find_homography(source, target)
        assert H is not None
        corners = np.array([[0, 0], [480, 0], [480, 480], [0, 480]])
        assert np.abs(project(H, corners) - project(H_TRUE, corners)).max() < 3
        assert set(inliers.tolist()) >= set(range(60))
        assert len(inliers) <= 60 + outliers / 10

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_too_few_points(self, count: int) -> None:
        """Three matches support no homography."""
        source, target = scattered(count, outliers=0)
        H, inliers = find_homography(source, target)
        assert H is None
        assert len(inliers) == 0

    @pytest.mark.parametrize("kind", ["one place", "one line"])
    def test_degenerate(self, kind: str) -> None:
        """Matches at one place or on one line give a finite answer or none, and no crash."""
        line = np.linspace(0, 300, 12)[:, None] * (np.zeros((1, 2)) if kind == "one place" else np.array([[1, 0.5]]))
        H, _ = find_homography(line.astype(np.float32), (line + 7).astype(np.float32))
        assert H is None or np.isfinite(H).all()

    def test_same_every_time(self) -> None:
        """The same points give the same homography to the bit, in whatever thread."""
        source, target = scattered(40, outliers=60)
        first = find_homography(source, target)
        with ThreadPoolExecutor(4) as pool:
            for H, inliers in pool.map(lambda _: find_homography(source, target), range(16)):
                assert (first[0] == H).all()
                assert (inliers == first[1]).all()


def onto(quad: list[list[float]]) -> np.ndarray:
    """The homography that brings a picture of 300 x 400 onto a quad."""
    corners = np.array([[0, 0], [300, 0], [300, 400], [0, 400]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, np.array(quad, np.float32)), np.float64)


UPRIGHT = [[100, 100], [300, 100], [300, 360], [100, 360]]
SANE = {
    "upright": UPRIGHT,
    "on its head": UPRIGHT[2:] + UPRIGHT[:2],
    "lying": UPRIGHT[1:] + UPRIGHT[:1],
    "from the side": [[100, 100], [300, 150], [300, 320], [100, 400]],
    "larger than the photo": [[-300, -300], [900, -200], [900, 1000], [-300, 900]],
    "half outside": [[-100, 100], [150, 90], [140, 380], [-110, 370]],
}
INSANE = {
    "mirrored": UPRIGHT[::-1],
    "upside mirrored": [UPRIGHT[1], UPRIGHT[0], UPRIGHT[3], UPRIGHT[2]],
    "bow-tie": [UPRIGHT[0], UPRIGHT[1], UPRIGHT[3], UPRIGHT[2]],
    "dented": [[100, 100], [300, 100], [150, 150], [100, 360]],
    "tiny": [[100, 100], [112, 100], [112, 116], [100, 116]],
    "gigantic": [[-9000, -9000], [9000, -9000], [9000, 9000], [-9000, 9000]],
    "a needle": [[100, 100], [103, 100], [103, 110], [100, 440]],
    "a wedge": [[100, 100], [300, 100], [210, 360], [190, 360]],
}


class TestQuadIsSane:
    @pytest.mark.parametrize("name", SANE)
    def test_sane(self, name: str) -> None:
        """A camera sees pictures turned, tilted, large and cut off."""
        assert quad_is_sane(onto(SANE[name]), (300, 400), (480, 640))

    @pytest.mark.parametrize("name", INSANE)
    def test_insane(self, name: str) -> None:
        """It does not see them mirrored, folded, or as a speck."""
        assert not quad_is_sane(onto(INSANE[name]), (300, 400), (480, 640))

    def test_behind_the_camera(self) -> None:
        """A corner that would lie behind the camera is no corner of a photo."""
        H = np.array([[1, 0, 0], [0, 1, 0], [-0.005, 0, 1.0]])
        assert not quad_is_sane(H, (300, 400), (480, 640))

    def test_the_sign_does_not_matter(self) -> None:
        """A homography is the same with its sign turned."""
        assert quad_is_sane(-onto(UPRIGHT), (300, 400), (480, 640))

    @pytest.mark.parametrize("H", [np.zeros((3, 3)), np.ones((3, 3)), np.diag([1.0, 0, 1]), np.diag([1e-9, 1e-9, 1])])
    def test_collapsed(self, H: np.ndarray) -> None:
        """A homography that collapses the picture is refused, without a warning."""
        assert not quad_is_sane(H, (300, 400), (480, 640))


class TestProject:
    def test_at_infinity(self) -> None:
        """A point at infinity becomes very large, never NaN."""
        found = project(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]]), np.array([[100.0, 5.0]]))
        assert np.isfinite(found).all()
        assert np.abs(found).max() > 1e6

    def test_none(self) -> None:
        """No points remain no points."""
        assert project(np.eye(3), np.zeros((0, 2))).shape == (0, 2)
