"""What the comparator learns from: sisters, and labels that are true."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from engine.describe.patch_model import PatchModel
from engine.image_files import list_pictures
from tests.support.training_pictures import drawn
from training.comparator.samples import DIFFERENT, HIDDEN, SAME, UNKNOWN, compare, generate
from training.simulation.sisters import sister


@pytest.fixture(scope="module")
def patch_model() -> PatchModel:
    return PatchModel()


class TestSister:
    def test_differs_in_parts(self) -> None:
        """A sister has the picture's size, and differs from it, mostly not everywhere; the picture stays as it was."""
        picture, others = drawn(1), [drawn(2), drawn(3)]
        before, shares = picture.copy(), []
        for seed in range(40):
            made = sister(picture, others, np.random.default_rng(seed))
            assert (made.shape, made.dtype) == (picture.shape, np.uint8)
            shares.append((np.abs(made.astype(int) - picture).max(2) > 12).mean())
        assert (picture == before).all()
        assert 0.02 < np.median(shares) < 0.6

    def test_small_and_grey_pictures(self) -> None:
        for shape in ((64, 64), (64, 400), (480, 64)):
            grey = np.full((*shape, 3), 90, np.uint8)
            for seed in range(20):
                assert sister(grey, [drawn(1)], np.random.default_rng(seed)).shape == grey.shape


class TestCompare:
    def test_labels(self, patch_model: PatchModel) -> None:
        """A photo against its own print shows no other print anywhere; against the sister it does."""
        own, others = np.zeros(4), np.zeros(4)
        for seed in range(12):
            rng = np.random.default_rng(seed)
            found = list(compare(drawn(seed), [drawn(50), drawn(51)], None, patch_model, rng))
            if len(found) == 2:
                own += np.bincount(found[0][1].ravel(), minlength=4)
                others += np.bincount(found[1][1].ravel(), minlength=4)
        assert own[SAME] > 300
        assert own[DIFFERENT] == 0
        assert others[DIFFERENT] > 50
        assert others[SAME] > 100

    def test_kin(self, patch_model: PatchModel) -> None:
        """Another picture that shares a frame: the frame is the same print, what is inside is not."""
        frame, inside = drawn(7), np.s_[80:-80, 60:-60]
        kin = frame.copy()
        kin[inside] = drawn(8)[inside]
        labels = np.zeros(4)
        for seed in range(12):
            rng = np.random.default_rng(100 + seed)
            for _, grid in itertools.islice(compare(frame, [drawn(50)], kin, patch_model, rng), 1, 2):
                labels += np.bincount(grid.ravel(), minlength=4)
        assert labels[DIFFERENT] > 30

    def test_the_same_for_the_same_seed(self, patch_model: PatchModel, pictures: Path) -> None:
        paths = list_pictures(pictures)
        first, again = (list(itertools.islice(generate(paths, patch_model, seed=3), 4)) for _ in range(2))
        for (frames, labels), (frames_again, labels_again) in zip(first, again, strict=True):
            assert (frames == frames_again).all()
            assert (labels == labels_again).all()
            assert set(np.unique(labels)) <= {SAME, DIFFERENT, HIDDEN, UNKNOWN}
