"""The conventions that all modules share: where pixels lie."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.values import resize_matrix


class TestResizeMatrix:
    @pytest.mark.parametrize("to", [(180, 240), (77, 301), (720, 960)])
    def test_coordinates_come_back(self, to: tuple[int, int]) -> None:
        """There and back again is where one was."""
        there, back = resize_matrix((360, 480), to), resize_matrix(to, (360, 480))
        assert np.allclose(back @ there, np.eye(3))

    @pytest.mark.parametrize("to", [(180, 240), (90, 160), (720, 960)])
    def test_coordinates_are_those_of_the_pixels(self, to: tuple[int, int]) -> None:
        """A blob lies in the resized image where the matrix says: pixel centres are whole numbers."""
        y, x = np.mgrid[0:480, 0:360]
        at = np.array([141.3, 222.7])
        blob = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 12.0**2)).astype(np.float32)
        small = cv2.resize(blob, to, interpolation=cv2.INTER_AREA if to[0] < 360 else cv2.INTER_LINEAR)
        v, u = np.mgrid[0 : to[1], 0 : to[0]]
        centroid = [(small * u).sum() / small.sum(), (small * v).sum() / small.sum(), 1]
        assert np.allclose(resize_matrix((360, 480), to) @ [*at, 1], centroid, atol=0.05)
