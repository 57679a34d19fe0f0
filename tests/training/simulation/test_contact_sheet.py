"""The sheet that shows simulated photos beside real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ResearchError
from engine.image_files import list_pictures
from training.simulation.contact_sheet import CELL, COLUMNS, GAP, ROWS, contact_sheet


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
