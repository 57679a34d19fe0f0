"""Simulated photos, new pictures, the sheet that shows them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import ResearchError
from engine.image_files import list_pictures
from tests.support.training_pictures import FOLDS, NONE, WAVES, drawn, some_warp
from training.simulation.contact_sheet import CELL, COLUMNS, GAP, ROWS, contact_sheet
from training.simulation.new_pictures import SMALLEST, look_alike, new_picture, other_colours, overprint
from training.simulation.photographs import render, simulate
from training.simulation.warp import Warp, random_warp


class TestSimulate:
    def test_photo(self) -> None:
        """A photo is an RGB image of 320 to 720 pixels, and differs from one draw to the next."""
        rng = np.random.default_rng(0)
        photos = [simulate(drawn(1), [drawn(2)], rng) for _ in range(6)]
        for image, warp in photos:
            assert image.dtype == np.uint8
            assert image.shape[2] == 3
            assert 320 <= max(image.shape[:2]) <= 720
            assert warp.size == (240, 320)
        assert len({image.tobytes() for image, _ in photos}) == 6

    def test_same_seed_same_photo(self) -> None:
        """The same seed gives the same photo."""
        a, b = (simulate(drawn(1), [drawn(2)], np.random.default_rng(5))[0] for _ in range(2))
        assert (a == b).all()

    @pytest.mark.parametrize(("bend", "uneven"), [(0.0, NONE), (0.8, NONE), (0.0, WAVES), (0.5, FOLDS)])
    def test_the_picture_lies_where_the_warp_says(self, bend: float, uneven: tuple[np.ndarray, np.ndarray]) -> None:
        """Photo pixels of the picture have the colour of the picture's pixel that the warp names; others that of
        the background."""
        warp, background = some_warp(3, bend=bend, uneven=uneven), np.full((400, 480, 3), (10, 200, 30), np.uint8)
        picture = cv2.GaussianBlur(drawn(1), (0, 0), 3)
        photo = render(picture, background, warp)
        grid = np.stack(np.meshgrid(np.arange(480), np.arange(400)), -1).reshape(-1, 2).astype(np.float32)
        with np.errstate(invalid="ignore"):
            source = warp.photo_to_picture(grid)
            inside = ((source > [3, 3]) & (source < [236, 316])).all(1)
            outside = ~((source > [-3, -3]) & (source < [243, 323])).all(1)
        assert inside.sum() > 5000
        assert outside.sum() > 5000
        x, y = (np.nan_to_num(a).reshape(400, 480).astype(np.float32) for a in source.T)
        expected = cv2.remap(picture, x, y, cv2.INTER_LINEAR).reshape(-1, 3)[inside]
        assert np.abs(photo.reshape(-1, 3)[inside].astype(float) - expected).mean() < 4
        assert (photo.reshape(-1, 3)[outside] == (10, 200, 30)).all()

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

    def test_nothing_in_sight(self) -> None:
        """A picture that lies outside the frame leaves the background as it is."""
        away = Warp(np.array([[1.0, 0, 5], [0, 1, 5], [0, 0, 1]]), 1.2, (240, 320))
        background = np.full((64, 64, 3), 9, np.uint8)
        assert (render(drawn(1), background, away) == background).all()

    def test_without_other_pictures(self) -> None:
        """Without other pictures the background is plain."""
        assert simulate(drawn(1), [], np.random.default_rng(1))[0].ndim == 3


class TestNewPictures:
    def test_new_ones(self) -> None:
        """Each draw is another picture, never larger than the old one, which stays as it is; the same for a seed."""
        old, others, rng = drawn(1), [drawn(2), drawn(3, width=100, height=60)], np.random.default_rng(0)
        kept = old.copy()
        made = [new_picture(old, others, rng) for _ in range(30)]
        assert (old == kept).all()
        assert len({picture.tobytes() for picture in made}) == 30
        assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in made)
        assert all(picture.shape <= old.shape and min(picture.shape[:2]) >= SMALLEST for picture in made)
        again = new_picture(old, others, np.random.default_rng(0))
        assert (again == made[0]).all()

    def test_look_alikes(self) -> None:
        """A look-alike has the size of its original and differs from it; an overprint leaves most of it alone."""
        old, rng = drawn(1), np.random.default_rng(1)
        for _ in range(20):
            like = look_alike(old, rng)
            assert like.shape == old.shape
            assert (like != old).any()
        same = [(overprint(old, rng) == old).all(2).mean() for _ in range(20)]
        assert np.median(same) > 0.5

    def test_other_colours(self) -> None:
        """Other colours are the old channels, exchanged and inverted."""
        old = drawn(1)
        channels = {one.tobytes() for k in range(3) for one in (old[..., k].copy(), 255 - old[..., k])}
        for seed in range(10):
            changed = other_colours(old, np.random.default_rng(seed))
            assert {changed[..., k].copy().tobytes() for k in range(3)} <= channels

    @pytest.mark.parametrize("side", [32, 40])
    def test_tiny(self, side: int) -> None:
        """The smallest pictures that are read (32 pixels) do not fail."""
        tiny = np.full((side, side, 3), 100, np.uint8)
        for seed in range(12):
            assert new_picture(tiny, [], np.random.default_rng(seed)).size


class TestContactSheet:
    def test_two_halves(self, pictures: Path) -> None:
        """Simulated photos on the left, photos on the right, the same for the same seed."""
        paths = list_pictures(pictures)
        sheets = [contact_sheet(paths[:5], paths[5:8], seed=1) for _ in range(2)]
        assert (sheets[0] == sheets[1]).all()
        middle = COLUMNS * CELL
        assert sheets[0].shape == (ROWS * CELL, 2 * middle + GAP, 3)
        assert (sheets[0][:, middle : middle + GAP] == 255).all()
        drawn_cells = [
            (half[:CELL, :CELL] < 255).any()
            for half in np.split(np.delete(sheets[0], range(middle, middle + GAP), 1), 2, 1)
        ]
        assert drawn_cells == [True, True]

    def test_nothing_to_show(self, pictures: Path, tmp_path: Path) -> None:
        """A folder without a readable picture is refused."""
        (tmp_path / "text.jpg").write_text("text")
        for a, b in ((pictures, tmp_path), (tmp_path, pictures)):
            with pytest.raises(ResearchError, match="no picture that can be read"):
                contact_sheet(list_pictures(a)[:2], list_pictures(b)[:2])
