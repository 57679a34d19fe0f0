"""Picture files in folders, as the research tools read them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from engine.image_files import list_pictures, read_rgb


class TestReading:
    def test_read_rgb(self, tmp_path: Path) -> None:
        """Large pictures are reduced; what cannot be read or is too small is None."""
        cv2.imwrite(str(tmp_path / "a.png"), np.full((1000, 500, 3), (1, 2, 3), np.uint8))
        cv2.imwrite(str(tmp_path / "small.png"), np.zeros((20, 20, 3), np.uint8))
        (tmp_path / "text.jpg").write_text("text")
        found = read_rgb(tmp_path / "a.png")
        assert found is not None
        assert found.shape == (640, 320, 3)
        assert found[0, 0].tolist() == [3, 2, 1]
        assert read_rgb(tmp_path / "small.png") is None
        assert read_rgb(tmp_path / "text.jpg") is None
        assert [p.name for p in list_pictures(tmp_path)] == ["a.png", "small.png", "text.jpg"]
