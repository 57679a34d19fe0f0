"""Which keypoints are found again: what is observed in simulation, and the fit to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.describe.keypoints import Keypoints
from engine.describe.patch_model import PatchModel
from engine.describe.repeatability import FIGURES
from engine.image_files import list_pictures
from tests.support.training_pictures import some_warp

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'obverse[train]'")

from training.learn.repeatability import fit_repeatability, observe, visible  # needs scikit-learn


class TestRepeatability:
    def test_observed_in_simulation(self, pictures: Path) -> None:
        """Of a picture's keypoints a fair share is found again; figures and labels belong together, and the same
        seed observes the same."""
        model = PatchModel()
        paths = list_pictures(pictures)[:3]
        runs = [observe(paths, model.describe, model.vocabulary, seed=4, photos=1) for _ in range(2)]
        (figures, found), (again, _) = runs
        assert len(figures) == len(found) > 200
        assert (figures == again).all()
        assert 0.1 < found.mean() < 0.9

    def test_fit(self) -> None:
        """The fit finds the figure that decides, and gives probabilities of the right size."""
        rng = np.random.default_rng(0)
        figures = rng.normal(3, 2, (4000, len(FIGURES))).astype(np.float32)
        truth = 1 / (1 + np.exp(-(figures[:, 2] - 3)))
        weights = fit_repeatability(figures, rng.random(4000) < truth)
        assert weights.dtype == np.float32
        assert abs(weights[2] - 1) < 0.15
        assert np.abs(np.delete(weights[:6], 2)).max() < 0.1
        assert np.abs(1 / (1 + np.exp(-(figures @ weights[:6] + weights[6]))) - truth).mean() < 0.05

    @pytest.mark.parametrize("count", [0, 5])
    def test_nothing_to_learn(self, count: int) -> None:
        """Where nothing was found again, or nothing seen, all keypoints are alike."""
        assert (fit_repeatability(np.ones((count, 6), np.float32), np.zeros(count, bool)) == 0).all()

    def test_visible(self) -> None:
        """A keypoint is visible where its place in the photo lies inside the photo."""
        warp = some_warp(3)
        grid = np.stack(np.meshgrid(np.arange(480), np.arange(400)), -1).reshape(-1, 2).astype(np.float32)
        source = warp.photo_to_picture(grid[::97])
        inside = ((source > 0) & (source < [240, 320])).all(1)
        one = np.ones(inside.sum(), np.float32)
        assert visible(Keypoints(source[inside], one, one, one), warp, 1.0, (480, 400)).mean() > 0.99
        far = Keypoints(source[inside], one, one, one)
        assert not visible(far, warp, 1.0, (1, 1)).any()
