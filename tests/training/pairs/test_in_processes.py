"""Patch pairs of the processors, and which pictures are held out."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.describe.keypoints import Keypoints
from engine.image_files import list_pictures
from tests.support.training_pictures import drawn, some_warp
from training.pairs.in_processes import corresponding, generate, is_validation, pairs_of
from training.simulation.photographs import simulate


class TestPairs:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_corresponding(self, seed: int) -> None:
        """Keypoints that are carried into the photo are found again, those that are elsewhere are not."""
        rng, warp = np.random.default_rng(seed), some_warp(seed)
        xy = np.stack(np.meshgrid(np.arange(20, 225, 24), np.arange(20, 305, 24)), -1).reshape(-1, 2)
        one = np.ones(len(xy), np.float32)
        inverse = np.linalg.inv(warp.H_photo_to_plane)

        def to_photo(points: np.ndarray) -> np.ndarray:
            plane = (points + 0.5) / [120, 160] - 1
            return cv2.perspectiveTransform(plane[None].astype(np.float64), inverse)[0]

        angle = rng.uniform(0, 6.28, len(xy))
        ahead = np.stack([np.cos(angle), np.sin(angle)], 1) * 0.01
        seen, direction = to_photo(xy), (to_photo(xy + ahead) - to_photo(xy)) / 0.01
        aside = (to_photo(xy + ahead[:, ::-1] * [-1, 1]) - to_photo(xy)) / 0.01
        growth = np.sqrt(np.abs(direction[:, 0] * aside[:, 1] - direction[:, 1] * aside[:, 0]))
        turned = np.arctan2(direction[:, 1], direction[:, 0]) % (2 * np.pi)
        points = Keypoints(xy.astype(np.float32), one, angle.astype(np.float32), one)
        photo = Keypoints(*(a.astype(np.float32) for a in (seen, growth, turned)), one)
        a, b = corresponding(points, photo, warp, 1.0)
        assert len(a) > 0.8 * len(xy)
        assert (a == b).all()
        shuffled = Keypoints(photo.xy, photo.scale, (photo.angle + np.float32(1.5)) % np.float32(6.28), one)
        assert len(corresponding(points, shuffled, warp, 1.0)[0]) < 0.1 * len(xy)
        larger = Keypoints(photo.xy, photo.scale * 2, photo.angle, one)
        assert len(corresponding(points, larger, warp, 1.0)[0]) == 0

    def test_none(self) -> None:
        """Without keypoints on either side there are no pairs."""
        one = np.ones(3, np.float32)
        some, none = Keypoints(np.ones((3, 2), np.float32), one, one, one), Keypoints(np.zeros((0, 2)), *[one[:0]] * 3)
        for a, b in ((some, none), (none, some), (none, none)):
            assert [len(x) for x in corresponding(a, b, some_warp(1), 1.0)] == [0, 0]

    def test_patches_of_a_pair_are_alike(self) -> None:
        """Patches of a pair resemble each other far more than patches of different pairs."""
        rng = np.random.default_rng(0)
        photo, warp = simulate(drawn(1), [drawn(2)], rng, strength=0.2)
        a, b = pairs_of(drawn(1), photo, warp, limit=60, rng=rng)
        assert a.shape == b.shape
        assert 20 < len(a) <= 60

        def normal(patches: np.ndarray) -> np.ndarray:
            flat = patches.reshape(len(patches), -1).astype(np.float64)
            flat -= flat.mean(1, keepdims=True)
            return flat / np.linalg.norm(flat, axis=1, keepdims=True)

        likeness = normal(a) @ normal(b).T
        assert np.median(np.diag(likeness)) > 0.8
        assert np.median(likeness[~np.eye(len(a), dtype=bool)]) < 0.4

    def test_generate(self, pictures: Path) -> None:
        """Pairs come without end, from all pictures, the same for the same seed."""
        paths = list_pictures(pictures)[:6]
        runs = [generate(paths, seed=3, limit=10, invented=0.5) for _ in range(2)]
        for _ in range(8):
            a, b = (next(run) for run in runs)
            assert (a.picture == b.picture).all()
            assert (a.photo == b.photo).all()
            assert len(a.picture) == len(a.photo) == len(a.source) <= 10

    def test_threads(self, pictures: Path) -> None:
        """Who asks for pairs keeps the threads of OpenCV: only processes that do nothing else give theirs up."""
        before = cv2.getNumThreads()
        try:
            cv2.setNumThreads(2)
            next(generate(list_pictures(pictures)[:2], seed=3, invented=0.0))
            assert cv2.getNumThreads() == 2
        finally:
            cv2.setNumThreads(before)


class TestHeldOut:
    def test_whole_sources(self, tmp_path: Path) -> None:
        """Pictures of one source are held out together or not at all."""
        paths = [tmp_path / f"{n}.jpg" for n in range(400)]
        with (tmp_path / "manifest.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "source_repository"])
            writer.writerows([p.name, f"source{n // 4}"] for n, p in enumerate(paths))
        held = is_validation(tmp_path, paths, share=0.3)
        groups = held.reshape(100, 4)
        assert (groups.all(1) | ~groups.any(1)).all()
        assert 0.15 < held.mean() < 0.45

    def test_by_name(self, tmp_path: Path) -> None:
        """Without a manifest each picture is judged by its name, always in the same way."""
        paths = [tmp_path / f"{n}.jpg" for n in range(1000)]
        held = is_validation(tmp_path, paths)
        assert 0.03 < held.mean() < 0.1
        assert (is_validation(tmp_path, paths) == held).all()
