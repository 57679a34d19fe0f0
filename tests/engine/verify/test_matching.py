"""One-to-one matches of keypoints, and the alignment that they give."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from engine.describe.features import describe_photo, describe_picture, pack_features
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.image import resize_long_side
from engine.values import resize_matrix
from engine.verify.homography import project
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
