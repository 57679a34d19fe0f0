"""Where a simulated photo shows its picture: waves, folds and perspective, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.simulation.warp import Warp, random_warp


class TestWarp:
    def test_waves_and_folds_by_hand(self) -> None:
        """A ripple moves what lies on its crest by its amplitude, a fold what lies behind it; both keep the order
        of points along their direction."""
        flat = Warp(np.eye(3), 0.0, (200, 200))
        line = np.c_[np.linspace(-0.9, 0.9, 50), np.zeros(50)].astype(np.float32)
        before = flat.photo_to_picture(line)
        ripple = Warp(np.eye(3), 0.0, (200, 200), np.array([[0.0, 2.0, np.pi / 2, 0.05]]))
        moved = ripple.photo_to_picture(line) - before
        assert moved[:, 0] == pytest.approx(5 * np.cos(2 * line[:, 0]), abs=0.01)
        fold = Warp(np.eye(3), 0.0, (200, 200), folds=np.array([[0.0, 0.2, 0.5]]))
        moved = fold.photo_to_picture(line) - before
        assert moved[:, 0] == pytest.approx(50 * np.maximum(0, line[:, 0] - 0.2), abs=0.01)
        for seed in range(300):
            made = random_warp(np.random.default_rng(seed), picture_size=(9, 9), photo_size=(9, 9), strength=1.0)
            if len(made.waves) or len(made.folds):
                crossing = Warp(np.eye(3), 0.0, (200, 200), made.waves, made.folds).photo_to_picture(line)
                assert (np.diff(crossing[:, 0]) > 0).all()

    def test_the_picture_is_in_front(self) -> None:
        """The middle of a tilted picture is seen, also where the photo's corner lies beyond its horizon."""
        beyond = 0
        for seed in range(400):
            made = random_warp(
                np.random.default_rng(seed), picture_size=(240, 320), photo_size=(640, 480), strength=1.0
            )
            flat = Warp(made.H_photo_to_plane, 0.0, made.size)
            x, y, w = np.linalg.inv(flat.H_photo_to_plane)[:, 2]
            middle = flat.photo_to_picture(np.array([[x / w, y / w]], np.float32))
            assert middle[0] == pytest.approx([119.5, 159.5], abs=1)
            beyond += bool(np.isnan(flat.photo_to_picture(np.zeros((1, 2), np.float32))).any())
        assert beyond > 3
