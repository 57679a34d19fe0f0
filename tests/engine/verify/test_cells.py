"""Cells of a frame, all at once, against each by itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.verify.appearance import coarse_colours
from engine.verify.cells import CELL, SHIFT, cell_means, cell_places, cell_spreads, covered, found_again, padded
from tests.support.drawn import poster

LIGHTNESS = cv2.cvtColor(poster(1)[:200, :150], cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
PLACES = np.array([[0, 0], [-5, 3], [7, -8], [118, 168], [125, 100], [30, 190], [126, 176]])
"""Some begin left of the image or above it, some end beyond it."""


def each(image: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
    return [image[max(y, 0) : max(y, 0) + CELL, max(x, 0) : max(x, 0) + CELL] for x, y in places.tolist()]


class TestCells:
    def test_places(self) -> None:
        """Row by row, and only whole cells."""
        assert cell_places((70, 33)).tolist() == [[0, 0], [32, 0]]
        assert cell_places((64, 49), 16).tolist() == [[0, 0], [16, 0], [32, 0], [0, 16], [16, 16], [32, 16]]
        assert cell_places((31, 400)).shape == (0, 2)

    def test_means_and_spreads(self) -> None:
        """As NumPy gives them for each cell, as far as it lies in the image."""
        cells = each(LIGHTNESS, PLACES)
        assert cell_means(LIGHTNESS, PLACES) == pytest.approx([c.mean() for c in cells], abs=1e-4)
        assert cell_spreads(LIGHTNESS, PLACES) == pytest.approx([c.std() for c in cells], abs=1e-4)

    def test_plain(self) -> None:
        """A plain cell has no spread, not that of a rounding."""
        assert (cell_spreads(np.full((64, 64), 77.7, np.float32), cell_places((64, 64))) < 1e-3).all()

    def test_none(self) -> None:
        """No cells are no error."""
        none = np.zeros((0, 2), np.int64)
        assert len(cell_means(LIGHTNESS, none)) == len(cell_spreads(LIGHTNESS, none)) == 0

    def test_covered(self) -> None:
        """Exactly 1 where all of a cell is covered, less where one pixel is not."""
        mask = np.ones((64, 64), bool)
        mask[40, 40] = False
        assert covered(mask, cell_places((64, 64))).tolist() == [1, 1, 1, 1 - 1 / CELL**2]


class TestFoundAgain:
    @pytest.mark.parametrize("shift", [(0, 0), (3, -8), (-7, 5)])
    def test_where(self, shift: tuple[int, int]) -> None:
        """A cell is found where it lies aside."""
        moved = np.roll(LIGHTNESS, (shift[1], shift[0]), (0, 1))
        score, found = found_again(padded(moved), LIGHTNESS, (64, 96))
        assert found == shift
        assert score == pytest.approx(1, abs=1e-3)

    def test_the_best_of_all_places(self) -> None:
        """The best of the correlations that NumPy gives."""
        other = cv2.GaussianBlur(LIGHTNESS[::-1].copy(), (0, 0), 2)
        cell, bordered = LIGHTNESS[64:96, 32:64], padded(other)
        scores = [
            np.corrcoef(cell.ravel(), bordered[64 + y : 64 + y + CELL, 32 + x : 32 + x + CELL].ravel())[0, 1]
            for y in range(2 * SHIFT + 1)
            for x in range(2 * SHIFT + 1)
        ]
        score, (x, y) = found_again(bordered, LIGHTNESS, (32, 64))
        assert score == pytest.approx(max(scores), abs=1e-3)
        assert (y + SHIFT) * (2 * SHIFT + 1) + x + SHIFT == np.argmax(scores)

    @pytest.mark.parametrize("grey", [0, 100, 255])
    def test_plain(self, grey: int) -> None:
        """In a plain image nothing is found again: 0, and no NaN."""
        assert found_again(padded(np.full_like(LIGHTNESS, grey)), LIGHTNESS, (32, 64))[0] == 0


class TestCoarseColours:
    @pytest.mark.parametrize("size", [(256, 192), (192, 256), (256, 32), (32, 256), (251, 256)])
    def test_as_an_area_mean(self, size: tuple[int, int]) -> None:
        """The colours of OpenCV's INTER_AREA."""
        lab = cv2.cvtColor(cv2.resize(poster(2), size), cv2.COLOR_RGB2LAB).astype(np.float32)
        found = coarse_colours(lab, mask=np.ones(lab.shape[:2], bool))[0]
        factor = 20 / max(size)
        coarse = tuple(max(4, round(side * factor)) for side in size)
        assert found == pytest.approx(cv2.resize(lab, coarse, interpolation=cv2.INTER_AREA).reshape(-1, 3), abs=1e-3)
