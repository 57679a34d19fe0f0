"""Structure and colour inside the outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.verify.appearance import NOTHING, Appearance, compare, see
from engine.verify.reference import FRAME, Reference
from tests.support.drawn import H_TILTED as H
from tests.support.drawn import flat, poster, tilted


def compared(picture: np.ndarray, photo: np.ndarray, H_picture_to_photo: np.ndarray) -> Appearance:
    return compare(see(Reference(picture), photo, H_picture_to_photo))


def turned_hue(picture: np.ndarray, degrees: int) -> np.ndarray:
    """The same lightness in other colours."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + degrees // 2) % 180
    turned = cv2.cvtColor(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), cv2.COLOR_RGB2LAB)
    turned[..., 0] = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 0]
    return cv2.cvtColor(turned, cv2.COLOR_LAB2RGB)


def assert_same(found: Appearance) -> None:
    assert found.structure > 0.85
    assert found.structure_share > 0.9
    assert found.structure_low <= found.structure + 1e-6
    assert found.colour > 0.8
    assert found.hue > 0.8
    assert found.visible > 0.95


class TestCompare:
    def test_same_picture(self) -> None:
        """A photo of the picture agrees in structure and colour, nearly fully."""
        assert_same(compared(poster(1), tilted(poster(1)), H))

    def test_the_picture_itself(self) -> None:
        """A picture agrees with itself."""
        found = compared(poster(1), poster(1), np.eye(3))
        assert_same(found)
        assert found.structure > 0.99
        assert found.chroma_gap < 2

    def test_ranges(self) -> None:
        """All figures but the gaps lie in [-1, 1]."""
        for seed in (1, 2):
            found = vars(compared(poster(1), tilted(poster(seed)), H))
            assert all(-1 <= v <= 1 + 1e-6 for k, v in found.items() if "gap" not in k)
            assert found["chroma_gap"] >= 0
            assert found["gap_back"] >= 0

    @pytest.mark.parametrize("seed", [2, 3, 4])
    def test_another_picture(self, seed: int) -> None:
        """Another picture under the same outline disagrees."""
        found, same = (compared(poster(1), tilted(poster(s)), H) for s in (seed, 1))
        assert found.structure < same.structure - 0.3
        assert found.structure_share < 0.5
        assert found.colour < same.colour - 0.3

    @pytest.mark.parametrize("degrees", [90, 180])
    def test_other_colours(self, degrees: int) -> None:
        """The same drawing in other colours is told apart by colour, though not by structure."""
        same = compared(poster(1), tilted(poster(1)), H)
        found = compared(poster(1), tilted(turned_hue(poster(1), degrees)), H)
        assert found.structure > 0.8
        assert found.hue < same.hue - 0.3

    @pytest.mark.parametrize("gains", [(1.2, 1.0, 0.75), (0.75, 1.0, 1.2), (0.6, 0.6, 0.6)])
    def test_white_balance_and_exposure(self, gains: tuple[float, float, float]) -> None:
        """Light of another colour, or less of it, is forgiven."""
        photo = np.clip(tilted(poster(1)) * np.array(gains), 0, 255).astype(np.uint8)
        found = compared(poster(1), photo, H)
        assert found.structure > 0.85
        assert found.colour > 0.7
        assert found.hue > 0.7

    def test_an_outline_a_little_off(self) -> None:
        """A homography off by a few pixels, as bent paper makes it, costs little structure."""
        shifted = np.array([[1, 0, 6], [0, 1, -6], [0, 0, 1.0]]) @ H
        assert compared(poster(1), tilted(poster(1)), shifted).structure > 0.8

    def test_partly_visible(self) -> None:
        """Only what lies in the photo is compared, and its share is told."""
        cut = np.array([[1, 0, -250], [0, 1, 0], [0, 0, 1.0]]) @ H
        found = compared(poster(1), tilted(poster(1), by=cut), cut)
        assert 0.3 < found.visible < 0.8
        assert found.structure > 0.8

    def test_outside(self) -> None:
        """What lies wholly outside the photo is nothing."""
        away = np.array([[1, 0, 5000], [0, 1, 5000], [0, 0, 1.0]])
        assert compared(poster(1), tilted(poster(1)), away) == NOTHING

    def test_featureless(self) -> None:
        """A plain picture has no structure to compare; a plain photo has none of the picture's."""
        assert compared(flat(), tilted(poster(1)), H) == NOTHING
        assert compared(poster(1), flat(600), H).structure < 0.1

    def test_grey(self) -> None:
        """Grey pictures are compared too; colour says nothing then."""
        grey = np.repeat(cv2.cvtColor(poster(1), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        found = compared(grey, tilted(grey), H)
        assert found.structure > 0.85
        assert np.isfinite(list(vars(found).values())).all()

    @pytest.mark.parametrize("size", [(32, 32), (32, 400), (1000, 1400)])
    def test_any_size(self, size: tuple[int, int]) -> None:
        """Small, narrow and large pictures are compared at the same scale."""
        picture = cv2.resize(poster(1), size, interpolation=cv2.INTER_AREA)
        found = compared(picture, picture, np.eye(3))
        assert found.structure > 0.9 or found == NOTHING
        assert max(Reference(picture).size) == FRAME


class TestSee:
    def test_frame(self) -> None:
        """Picture and photo come out in one frame, and the mask says where the photo covers it."""
        seen = see(Reference(poster(1)), tilted(poster(1)), H)
        assert seen is not None
        assert seen.reference.lab.shape == seen.lab.shape == (256, 192, 3)
        assert seen.mask.all()
        assert np.abs(seen.reference.lab - seen.lab).mean() < 20
        assert len(seen.cells) == len(seen.scores) == len(seen.reference.places) > 30

    def test_a_large_photo_does_not_alias(self) -> None:
        """A photo four times as large gives nearly the same frame."""
        large = cv2.resize(tilted(poster(1)), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        to_large = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1.0]])
        small, big = (see(Reference(poster(1)), p, M) for p, M in ((tilted(poster(1)), H), (large, to_large @ H)))
        assert small is not None
        assert big is not None
        assert np.abs(small.lab - big.lab).mean() < 8
