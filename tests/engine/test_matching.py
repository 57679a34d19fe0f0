"""One-to-one matches, the homography that they support, and outlines that a camera can see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from engine.describe.features import describe_photo, describe_picture, pack_features
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.image import resize_long_side
from engine.values import resize_matrix
from engine.verify.homography import find_homography, project, quad_is_sane
from engine.verify.matching import match, one_to_one, similarities
from tests.support.drawn import Photo, photo_of, poster


def oracle(similarity: np.ndarray, ratio: float) -> dict[tuple[int, int], float]:
    """Mutual nearest pairs with the quotient of their distance and the next best one's, by NumPy."""
    found = {}
    for row, values in enumerate(similarity):
        column = int(values.argmax())
        if similarity[:, column].argmax() == row:
            best, second = np.sort(values)[::-1][:2]
            quality = np.sqrt((1 - best) / (1 - second))
            if quality <= ratio:
                found[row, column] = quality
    return found


class TestOneToOne:
    @pytest.mark.parametrize("shape", [(2, 2), (50, 30), (30, 50), (300, 200)])
    @pytest.mark.parametrize("ratio", [0.7, 0.92, 1.0])
    def test_against_the_oracle(self, shape: tuple[int, int], ratio: float) -> None:
        """Pairs are each other's nearest and pass the ratio test; the best stand first."""
        similarity = np.random.default_rng(0).uniform(-0.3, 0.99, shape).astype(np.float32)
        rows, columns, quality = one_to_one(similarity, ratio=ratio)
        expected = oracle(similarity, ratio)
        assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == set(expected)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        assert np.allclose(quality, [expected[p] for p in pairs], atol=1e-5)
        assert (np.diff(quality) >= 0).all()
        assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows)

    @pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 5), (5, 1), (1, 1)])
    def test_too_few(self, shape: tuple[int, int]) -> None:
        """Without a second best there is no ratio, and no match."""
        assert [len(a) for a in one_to_one(np.ones(shape, np.float32))] == [0, 0, 0]

    def test_repeated_pattern(self) -> None:
        """Where everything is equally alike nothing is unambiguous: no match."""
        assert len(one_to_one(np.full((20, 20), 0.8, np.float32))[0]) == 0

    def test_identical(self) -> None:
        """A list against itself matches one to one."""
        points = np.random.default_rng(1).standard_normal((40, 64)).astype(np.float32)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        rows, columns, _ = one_to_one(np.minimum(points @ points.T, 1))
        assert sorted(rows.tolist()) == list(range(40))
        assert (rows == columns).all()


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


@pytest.fixture(scope="module")
def scene(patch_model: PatchModel) -> tuple[Photo, Query, np.ndarray, np.ndarray]:
    """A photo, its side of the matching, the rows of the right picture and of a wrong one."""
    photo = photo_of(poster(6), seed=6, strength=0.3)
    assert photo.warp.flat
    side = Query(
        describe_photo(resize_long_side(photo.image, PHOTO_DETECTOR.long_side), patch_model), patch_model.vocabulary
    )
    right, wrong = (pack_features(describe_picture(poster(s), patch_model), patch_model) for s in (6, 7))
    return photo, side, right, wrong


Scene = tuple[Photo, Query, np.ndarray, np.ndarray]


class TestMatch:
    def test_the_right_picture(self, scene: Scene) -> None:
        """The outline lies where the simulation put it, within a hundredth of the photo."""
        photo, side, right, _ = scene
        found = match(side, right)
        assert found is not None
        corners = np.array([[0, 0], [360, 0], [360, 480], [0, 480]]) - 0.5
        to_photo = resize_matrix(side.features.size, photo.image.shape[1::-1])
        quad = project(to_photo @ found.H_picture_to_photo, corners)
        assert np.abs(quad - photo.corners).max() < 0.01 * max(photo.image.shape[:2])
        assert len(found.photo_rows) == len(found.picture_rows) > 50
        assert len(set(found.photo_rows.tolist())) == len(found.photo_rows)
        assert len(set(found.picture_rows.tolist())) == len(found.picture_rows)
        assert found.expected >= len(found.picture_rows)
        assert found.ratio_inliers <= found.matches
        assert 0.4 < found.similarity <= 1

    def test_a_wrong_picture(self, scene: Scene) -> None:
        """Another picture gathers a handful of accidental inliers at most."""
        _, side, _, wrong = scene
        found = match(side, wrong)
        assert found is None or len(found.photo_rows) < 15

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_few_keypoints(self, scene: Scene, count: int) -> None:
        """A picture with next to no keypoints does not match."""
        assert match(scene[1], scene[2][:count]) is None

    def test_a_photo_without_keypoints(self, scene: Scene, patch_model: PatchModel) -> None:
        """Nor does a plain photo."""
        side = Query(describe_photo(np.zeros((480, 640, 3), np.uint8), patch_model), patch_model.vocabulary)
        assert match(side, scene[2]) is None

    def test_same_every_time(self, scene: Scene) -> None:
        """The same input gives the same answer to the bit."""
        first = match(scene[1], scene[2])
        assert first is not None
        with ThreadPoolExecutor(4) as pool:
            for again in pool.map(lambda _: match(scene[1], scene[2]), range(8)):
                assert again is not None
                assert (again.H_picture_to_photo == first.H_picture_to_photo).all()
                assert (again.photo_rows == first.photo_rows).all()

    def test_similarities(self, scene: Scene) -> None:
        """They lie in [-1, 1]; the photo's floats are compared with the picture's signs."""
        values = similarities(scene[1], scene[2])
        assert values.shape == (len(scene[1].centred), len(scene[2]))
        assert np.abs(values).max() <= 1 + 1e-5


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
