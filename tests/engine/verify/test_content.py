"""Whether the whole picture agrees, cell by cell, or only the frame that its series shares."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.describe.patch_model import PatchModel
from engine.verify.appearance import see
from engine.verify.cells import CELL
from engine.verify.content import NO_CONTENT, Content, compare_content
from engine.verify.legibility import UNREADABLE, Legibility, legibility
from engine.verify.reference import Reference
from tests.support.drawn import H_TILTED as H
from tests.support.drawn import flat, poster, tilted


def content(picture: np.ndarray, photo: np.ndarray, model: PatchModel, by: np.ndarray = H) -> Content:
    return compare_content(see(Reference(picture), photo, by), model)


def legible(picture: np.ndarray, photo: np.ndarray, by: np.ndarray = H) -> Legibility:
    return legibility(see(Reference(picture), photo, by), by)


def of_a_series(inside: int) -> np.ndarray:
    """A frame and a text box as all prints of the series have them, around another picture."""
    image = poster(1).copy()
    image[96:384, 48:312] = cv2.resize(poster(inside), (264, 288), interpolation=cv2.INTER_AREA)
    return image


class TestContent:
    def test_the_same_print(self, patch_model: PatchModel) -> None:
        """All cells agree, and no region differs."""
        found = content(poster(1), tilted(poster(1)), patch_model)
        assert found.content > 0.8
        assert found.wide > 0.8
        assert (found.content_differs, found.wide_differs, found.region) == (0, 0, 0)

    def test_a_sister(self, patch_model: PatchModel) -> None:
        """The frame agrees, the picture inside is another: a connected region says so, of about its size."""
        same = content(of_a_series(2), tilted(of_a_series(2)), patch_model)
        sister = content(of_a_series(2), tilted(of_a_series(3)), patch_model)
        assert same.region == 0
        assert 0.2 < sister.region <= sister.wide_differs + 1e-6
        assert sister.wide_tenth < 0.3 < same.wide_tenth
        assert sister.content < same.content - 0.25

    def test_one_label(self, patch_model: PatchModel) -> None:
        """A small difference is a small region."""
        other = poster(1).copy()
        other[64:160, 64:192] = poster(5)[64:160, 64:192]
        found = content(poster(1), tilted(other), patch_model)
        assert 0 < found.region < 0.2
        assert found.wide > 0.7

    def test_parts_that_do_not_touch(self, patch_model: PatchModel) -> None:
        """The largest region counts, not all of them together."""
        other = poster(1).copy()
        for y, x in ((0, 0), (360, 240)):
            other[y : y + 120, x : x + 120] = poster(7)[y : y + 120, x : x + 120]
        found = content(poster(1), tilted(other), patch_model)
        assert 0 < found.region < 0.75 * found.wide_differs

    def test_nothing_to_compare(self, patch_model: PatchModel) -> None:
        """A plain picture, or one outside the photo, shows no content."""
        away = np.array([[1, 0, 5000], [0, 1, 5000], [0, 0, 1.0]])
        assert content(flat(), tilted(poster(1)), patch_model) == NO_CONTENT
        assert content(poster(1), tilted(poster(1)), patch_model, away) == NO_CONTENT

    @pytest.mark.parametrize("size", [(32, 400), (400, 40), (1000, 1400), (64, 64)])
    def test_any_size(self, patch_model: PatchModel, size: tuple[int, int]) -> None:
        """Narrow, small and large pictures agree with themselves."""
        picture = cv2.resize(poster(1), size, interpolation=cv2.INTER_AREA)
        found = content(picture, picture, patch_model, np.eye(3))
        assert found == NO_CONTENT or (found.content > 0.9 and found.region == 0)

    def test_the_same_in_every_call(self, patch_model: PatchModel) -> None:
        """A reference that has met other photos before gives the same figures."""
        reference, photo = Reference(poster(1)), tilted(poster(1))
        first = compare_content(see(reference, photo, H), patch_model)
        compare_content(see(reference, tilted(poster(2)), H), patch_model)
        assert compare_content(see(reference, photo, H), patch_model) == first
        assert content(poster(1), photo, patch_model) == first


class TestReference:
    def test_cells(self) -> None:
        """Cells lie on a grid inside the frame, and none of them is plain."""
        half = poster(1).copy()
        half[240:] = 200
        reference = Reference(half)
        assert (reference.places % CELL == 0).all()
        assert (reference.places + CELL <= reference.size).all()
        assert reference.places[:, 1].max() <= 128
        assert len(Reference(flat()).places) == 0


class TestLegibility:
    def test_blur(self) -> None:
        """The less detail a photo has the lower, whichever picture it shows."""
        sharp, soft = tilted(poster(1)), cv2.GaussianBlur(tilted(poster(1)), (0, 0), 3)
        assert legible(poster(1), soft).detail < legible(poster(1), sharp).detail - 0.5

    def test_bent_paper(self) -> None:
        """A homography that is off, but as an affine field is, shifts cells and bends nothing; a wave bends."""
        moved = np.array([[1, 0, 6], [0, 1, -5], [0, 0, 1.0]]) @ H
        flat_one = legible(poster(1), tilted(poster(1)), moved)
        assert flat_one.shift > 3
        assert flat_one.bend < 1.5
        y, x = np.mgrid[:640, :560].astype(np.float32)
        waved = cv2.remap(tilted(poster(1)), x + 7 * np.sin(y / 40), y, cv2.INTER_LINEAR)
        assert legible(poster(1), waved).bend > flat_one.bend + 1

    def test_size_and_contrast(self) -> None:
        """The logarithms of the picture's size in the photo and of the contrast that light has left."""
        photo = tilted(poster(1))
        half = np.diag([0.5, 0.5, 1.0])
        small = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        near, far = legible(poster(1), photo), legible(poster(1), small, half @ H)
        assert near.size - far.size == pytest.approx(np.log(2), abs=0.02)
        dim = legible(poster(1), (photo * 0.4 + 80).astype(np.uint8))
        assert dim.dimness > near.dimness + 0.5
        assert dim.contrast == near.contrast

    def test_nothing_to_compare(self) -> None:
        assert legible(flat(), tilted(poster(1))) == UNREADABLE
