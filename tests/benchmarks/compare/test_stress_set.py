"""Simulated photos: one factor at a time, the same for the same seed, with the picture where it should be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.compare.progress import Tell
from benchmarks.compare.stress_set import FACTORS, PHOTO, SHARE, View, draw_set, photograph, seen_by
from benchmarks.sets import read_set
from engine.errors import ResearchError
from engine.values import ColorImage

VIEWS = 1 + sum(len(f.strengths) for f in FACTORS)


def picture(size: tuple[int, int] = (300, 400)) -> ColorImage:
    rng = np.random.default_rng(3)
    image = np.full((size[1], size[0], 3), 200, np.uint8)
    for _ in range(60):
        a, b = (tuple(int(v) for v in rng.integers(0, size[0], 2)) for _ in range(2))
        cv2.rectangle(image, a, b, [int(v) for v in rng.integers(0, 255, 3)], 2)
    return image


def photo(**view: float) -> ColorImage:
    image = cv2.imdecode(np.frombuffer(photograph(picture(), View(**view), [1, 2]), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None
    return np.asarray(image, np.uint8)


def corners(**view: float) -> np.ndarray:
    """Where the picture's corners lie in the photo, (4, 2), clockwise from its top left."""
    H = np.linalg.inv(seen_by(View(**view), (300, 400), axis=0.7).H_photo_to_plane)
    plane = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]) @ H.T
    return np.asarray(plane[:, :2] / plane[:, 2:])


class TestGeometry:
    def test_plain(self) -> None:
        """Upright, in the middle, 70 % of the frame high, and undistorted."""
        seen = corners()
        assert seen.mean(0) == pytest.approx((np.array(PHOTO) - 1) / 2, abs=0.01)
        width, height = seen.max(0) - seen.min(0)
        assert height == pytest.approx(SHARE * PHOTO[1], abs=0.01)
        assert width / height == pytest.approx(3 / 4)

    def test_distance(self) -> None:
        assert np.ptp(corners(shrink=4), 0) == pytest.approx(np.ptp(corners(), 0) / 4)

    def test_rotation(self) -> None:
        """By 180 degrees each corner takes the place of the one across; sides keep their lengths."""
        assert corners(rotation=180) == pytest.approx(np.roll(corners(), 2, 0), abs=0.01)
        sides = [np.linalg.norm(np.diff(corners(rotation=r), axis=0), axis=1) for r in (0, 45)]
        assert sides[0] == pytest.approx(sides[1], rel=1e-4)

    def test_tilt(self) -> None:
        """The area falls like the cosine, up to perspective, and the picture never leaves the frame."""

        def area(seen: np.ndarray) -> float:
            return float(cv2.contourArea(seen.astype(np.float32)))

        for tilt in (20, 55, 75):
            seen = corners(tilt=tilt)
            assert area(seen) / area(corners()) == pytest.approx(np.cos(np.deg2rad(tilt)), rel=0.25)
            assert (seen > 0).all()
            assert (seen < PHOTO).all()


class TestLight:
    def test_same_again(self) -> None:
        assert photograph(picture(), View(noise=5), [1, 2]) == photograph(picture(), View(noise=5), [1, 2])
        assert photograph(picture(), View(), [1, 2]) != photograph(picture(), View(), [1, 3])

    def test_darkness(self) -> None:
        assert photo(stops=2).mean() == pytest.approx(photo().mean() / 4, rel=0.05)

    def test_blur(self) -> None:
        sharpness = [cv2.Laplacian(photo(blur=b), cv2.CV_32F).var() for b in (0, 1, 3)]
        assert sharpness[0] > 2 * sharpness[1] > 4 * sharpness[2]

    def test_noise(self) -> None:
        difference = photo(noise=20).astype(float) - photo()
        assert difference.std() == pytest.approx(20, rel=0.3)

    def test_compression(self) -> None:
        sizes = [len(photograph(picture(), View(loss=loss), [1, 2])) for loss in (8, 50, 96)]
        assert sizes[0] > 1.5 * sizes[1] > 3 * sizes[2]

    @pytest.mark.parametrize("share", [0.2, 0.6])
    def test_occlusion(self, share: float) -> None:
        """That share of the picture is changed, and nearly nothing besides it."""
        left, top = corners()[0].astype(int) + 2
        right, bottom = corners()[2].astype(int) - 2
        changed = np.abs(photo(covered=share).astype(int) - photo()).max(-1) > 24
        assert changed[top:bottom, left:right].mean() == pytest.approx(share, abs=0.12)
        changed[top - 40 : bottom + 40, left - 40 : right + 40] = False
        assert changed.mean() < 0.001

    def test_glare(self) -> None:
        white = [(photo(glare=g) > 250).all(-1).mean() for g in (0, 0.3, 1.5)]
        assert white[0] + 0.01 < white[1] < white[2] / 4


class TestSet:
    def test_drawn(self, run_folder: Path, tmp_path: Path) -> None:
        """One photo a view and picture, each with its truth; a second call leaves all files alone."""
        refs, begun, calls = run_folder.parent / "tiny" / "refs", [], []
        tell = Tell(lambda _, steps: begun.append(steps), lambda: calls.append(1))
        folder = draw_set(refs, tmp_path / "s" / "tiny", photos=2, seed=0, tell=tell)
        evaluation = read_set(folder)
        assert begun == [len(calls)] == [len(evaluation.truth)] == [2 * VIEWS]
        assert {len(refs) for refs in evaluation.truth.values()} == {1}
        assert len(set.union(*(set(r) for r in evaluation.truth.values()))) == 2
        assert [p.name for p in evaluation.references()] == ["a.png", "b.png", "c.png", "d.png"]
        files = {p: p.stat().st_mtime_ns for p in folder.rglob("*.jpg")}
        assert len(files) == 2 * VIEWS
        draw_set(refs, folder, photos=2, seed=0, tell=tell)
        assert begun == [len(calls)]
        assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.jpg")} == files
        draw_set(refs, folder, photos=1, seed=0)
        assert len(list(folder.rglob("*.jpg"))) == VIEWS

    def test_unreadable(self, tmp_path: Path) -> None:
        """Pictures that cannot be read are passed over; without any there is nothing to photograph."""
        (tmp_path / "refs").mkdir()
        (tmp_path / "refs" / "x.png").write_bytes(b"nothing")
        with pytest.raises(ResearchError, match="no picture that can be read"):
            draw_set(tmp_path / "refs", tmp_path / "s", photos=2, seed=0)
