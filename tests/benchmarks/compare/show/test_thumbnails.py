"""Small pictures, with and without matches."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.compare.files import Geometry
from benchmarks.compare.show.thumbnails import drawn_matches, thumbnail


class TestThumbnails:
    def test_matches(self, run_folder: Path) -> None:
        """Lines from picture to photo, and the outline, at the scale of the thumbnails."""
        folder = run_folder.parent / "tiny"
        shift = (1, 0, 20, 0, 1, 10, 0, 0, 1)
        found = Geometry("m", "tiny", "qa1.png", "a.png", shift, ((10, 10, 30, 20),))
        drawn = drawn_matches(folder / "refs" / "a.png", folder / "queries" / "qa1.png", found)
        assert drawn.shape == (120, 120 + 8 + 160, 3)
        for y, x in ((10, 11), (20, 128 + 29)):
            assert np.abs(drawn[y - 1 : y + 2, x].astype(int) - (255, 210, 0)).max(1).min() < 60, "an end of the line"
        assert np.abs(drawn[60, 128 + 20].astype(int) - (0, 158, 115)).max() < 40, "left edge of the outline"

    def test_far_away(self, run_folder: Path) -> None:
        """Points at the end of the world, and a picture behind the camera, are no error."""
        folder = run_folder.parent / "tiny"
        for H in ((1e12, 0, 0, 0, 1e12, 0, 0, 0, 1), (1, 0, 0, 0, 1, 0, -0.02, 0, 1)):
            found = Geometry("m", "tiny", "qa1.png", "a.png", H, ((1e9, -1e9, 1e300, 0),))
            drawn_matches(folder / "refs" / "a.png", folder / "queries" / "qa1.png", found)

    def test_large_and_small(self, tmp_path: Path) -> None:
        """A large picture is shrunk to 240 pixels, a small one is left."""
        for size, expected in (((1200, 600), (240, 120)), ((60, 40), (60, 40))):
            cv2.imwrite(str(tmp_path / "x.png"), np.full((size[1], size[0], 3), 99, np.uint8))
            image, scale = thumbnail(tmp_path / "x.png")
            assert image.shape[1::-1] == expected
            assert scale == expected[0] / size[0]
