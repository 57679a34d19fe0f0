"""Matches and homographies of the verifiers against brute force and a known warp."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.compare.methods import ESTIMATORS, Estimator, Verifier
from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.local_features import Classical, Patches, has_akaze
from benchmarks.compare.parts.verifiers import find_homography, fit, match, verify
from engine.describe.patch_model import PatchModel
from engine.verify.homography import project
from tests.support.drawn_sets import TILT, drawn, photograph

NO_AKAZE = pytest.mark.skipif(not has_akaze(), reason="no AKAZE in this OpenCV: version 5 has it in contrib only")
KINDS = ["orb", "sift", "patches", pytest.param("akaze", marks=NO_AKAZE)]


def described(kind: str, image: np.ndarray, *, photo: bool) -> Arrays:
    describer = Patches(PatchModel()) if kind == "patches" else Classical(kind)
    return describer.describe(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), photo=photo)


def distances(photo: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """(N, M) by brute force."""
    if photo.dtype == np.uint64:
        return np.bitwise_count(photo[:, None] ^ picture[None]).sum(2).astype(np.float64)
    a, b = (
        x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True) for x in (photo, picture)
    )
    return np.linalg.norm(a[:, None] - b[None], axis=2)


class TestMatch:
    @pytest.mark.parametrize("words", [4, 8])
    @pytest.mark.parametrize("ratio", [None, 0.9])
    @pytest.mark.parametrize("mutual", [False, True])
    def test_bits(self, words: int, ratio: float | None, mutual: bool) -> None:
        """As brute force has it, for ORB's width and AKAZE's."""
        rng = np.random.default_rng(3)
        picture = rng.integers(0, 2**63, (40, words), np.uint64)
        photo = np.concatenate([picture[:25] ^ np.uint64(5), rng.integers(0, 2**63, (30, words), np.uint64)])
        check(photo, picture, ratio=ratio, mutual=mutual)

    @pytest.mark.parametrize("ratio", [None, 0.8])
    @pytest.mark.parametrize("mutual", [False, True])
    def test_vectors(self, ratio: float | None, mutual: bool) -> None:
        rng = np.random.default_rng(4)
        picture = rng.integers(0, 255, (40, 128)).astype(np.uint8)
        noisy = np.clip(picture[:25].astype(int) + rng.integers(-20, 20, (25, 128)), 0, 255)
        check(
            np.concatenate([noisy, rng.integers(0, 255, (30, 128))]).astype(np.uint8),
            picture,
            ratio=ratio,
            mutual=mutual,
        )

    def test_too_few(self) -> None:
        """The ratio needs a second neighbour."""
        one, many = np.zeros((1, 4), np.uint64), np.zeros((9, 4), np.uint64)
        for pair in ((one, many), (many, one), (many[:0], many)):
            rows, columns = match(*pair, ratio=None, mutual=False)
            assert len(rows) == len(columns) == 0


def check(photo: np.ndarray, picture: np.ndarray, *, ratio: float | None, mutual: bool) -> None:
    far = distances(photo, picture)
    nearest = far.argmin(1)
    two = np.sort(far, axis=1)[:, :2]
    expected = {
        (i, int(j))
        for i, j in enumerate(nearest)
        if (ratio is None or two[i, 0] <= ratio * two[i, 1]) and (not mutual or far[:, j].argmin() == i)
    }
    rows, columns = match(photo, picture, ratio=ratio, mutual=mutual)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == expected
    quality = two[rows, 0] / np.maximum(two[rows, 1], 1e-6)
    assert (np.diff(quality) > -1e-5).all()


class TestFit:
    @pytest.mark.parametrize("estimator", ESTIMATORS)
    def test_known_warp(self, estimator: Estimator) -> None:
        """Half of the points are wrong; the right half fixes the warp, twice the same."""
        rng = np.random.default_rng(5)
        source = rng.uniform(0, 300, (80, 2)).astype(np.float32)
        target = project(TILT, source).astype(np.float32)
        target[40:] = rng.uniform(0, 400, (40, 2))
        H, kept = find_homography(source, target, estimator)
        assert H is not None
        assert set(range(40)) <= set(kept.tolist())
        corners = np.array([[0, 0], [300, 0], [300, 400], [0, 400]])
        assert np.abs(project(H, corners) - project(TILT, corners)).max() < 1
        assert np.array_equal(H, find_homography(source, target, estimator)[0])

    @pytest.mark.parametrize("estimator", ESTIMATORS)
    def test_nothing_to_fit(self, estimator: Estimator) -> None:
        """No points, three points, and points that all fall on one spot."""
        sizes = np.array([300, 400]), np.array([400, 500])
        for count in (0, 3):
            points = np.ones((count, 2), np.float32)
            assert fit(points, points, *sizes, estimator) is None
        source = np.random.default_rng(0).uniform(0, 300, (20, 2)).astype(np.float32)
        assert fit(source, np.full((20, 2), 7, np.float32), *sizes, estimator) is None

    def test_mirrored(self) -> None:
        """A mirrored outline is one that no camera sees."""
        source = np.random.default_rng(0).uniform(0, 300, (30, 2)).astype(np.float32)
        mirrored = source * [-1, 1] + [350, 0]
        sizes = np.array([300, 400]), np.array([400, 500])
        assert fit(source, mirrored.astype(np.float32), *sizes, "ransac") is None
        assert fit(source, source + 20, *sizes, "ransac") is not None


class TestVerify:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("estimator", ESTIMATORS)
    def test_right_and_wrong(self, kind: str, estimator: Estimator) -> None:
        """The photo's own picture has many inliers at the right place, another picture few or none."""
        verifier = Verifier(features=kind, estimator=estimator, ratio=0.85, mutual=True)
        photo = described(kind, photograph(1), photo=True)
        right = verify(photo, described(kind, drawn(1), photo=False), verifier)
        wrong = verify(photo, described(kind, drawn(2), photo=False), verifier)
        assert right is not None
        assert len(right.inliers) >= 20
        assert wrong is None or len(wrong.inliers) < len(right.inliers) / 2
        error = project(right.H_picture_to_photo, right.inliers[:, :2]) - right.inliers[:, 2:]
        assert np.median(np.linalg.norm(error, axis=1)) < 3

    @pytest.mark.parametrize("kind", KINDS)
    def test_featureless(self, kind: str) -> None:
        """Nothing to match is no match."""
        verifier = Verifier(features=kind, estimator="ransac", ratio=0.8, mutual=False)
        flat = described(kind, np.full((300, 300, 3), 128, np.uint8), photo=True)
        assert len(flat["xy"]) == len(flat["descriptors"]) == 0
        assert verify(flat, described(kind, drawn(1), photo=False), verifier) is None
