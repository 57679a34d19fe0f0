"""The ten grades of a picture: each follows what it is named for."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from engine.describe.keypoints import Keypoints
from engine.describe.records import pack
from engine.enrol.quality import grade_picture
from tests.support.drawn import encoded, poster

SIZE = (480, 480)


def rows(count: int, *, within: float = 1.0, kinds: int | None = None, scale: float = 1.0) -> np.ndarray:
    """Keypoints in the first `within` of the picture's width and height; kinds: of so many kinds of places, each
    with one word and one signature; None: all different."""
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 479 * within, (count, 2)).astype(np.float32)
    kind = np.arange(count) % (kinds or max(count, 1))
    words = rng.integers(0, 2**20, len(kind))[kind]
    signatures = rng.integers(0, 2**63, len(kind), dtype=np.uint64)[kind]
    zeros = np.zeros(count, np.float32)
    return pack(Keypoints(xy, np.full(count, scale, np.float32), zeros, zeros), words, signatures)


def test_range() -> None:
    """Whole numbers from 0 to 4, for nothing at all as well."""
    for made in (rows(400), rows(1), rows(0)):
        grades = grade_picture(made, SIZE, level=3, jpeg=None)
        assert set(dataclasses.astuple(grades)) <= set(range(5))
    assert grade_picture(rows(0), SIZE, level=1, jpeg=None).trackable_feature_count == 4


def test_level() -> None:
    assert [grade_picture(rows(9), SIZE, level=level, jpeg=None).detectable_rate for level in (1, 5)] == [4, 0]


def test_count() -> None:
    few, many = (grade_picture(rows(count), SIZE, level=3, jpeg=None) for count in (40, 400))
    assert (few.detectable_feature_count, many.detectable_feature_count) == (4, 0)
    assert (few.trackable_feature_count, many.trackable_feature_count) == (3, 0)


def test_coarse_keypoints_do_not_track() -> None:
    grades = grade_picture(rows(400, scale=3.0), SIZE, level=3, jpeg=None)
    assert (grades.detectable_feature_count, grades.trackable_feature_count) == (0, 4)


def test_distribution() -> None:
    corner, all_over = (grade_picture(rows(400, within=w), SIZE, level=3, jpeg=None) for w in (0.2, 1.0))
    assert (corner.detectable_feature_distribution, all_over.detectable_feature_distribution) == (4, 0)
    assert (corner.trackable_feature_distribution, all_over.trackable_feature_distribution) == (4, 0)


def test_repetition() -> None:
    """A pattern of three kinds of places is neither distinct nor unmistakable."""
    pattern, varied = (grade_picture(rows(400, kinds=k), SIZE, level=3, jpeg=None) for k in (3, None))
    assert (pattern.detectable_distinctiveness, varied.detectable_distinctiveness) == (4, 0)
    assert (pattern.trackable_patch_ambiguity, varied.trackable_patch_ambiguity) == (4, 0)


def test_contrast() -> None:
    """The same keypoints on a picture, and on the same picture turned pale."""
    image = cv2.resize(poster(1), SIZE)
    pale = (200 + image * 0.05).astype(np.uint8)
    strong, weak = (grade_picture(rows(400), SIZE, level=3, jpeg=encoded(i, ".jpg")) for i in (image, pale))
    assert strong.trackable_patch_contrast < weak.trackable_patch_contrast
