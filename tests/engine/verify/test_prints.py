"""Whether picture and photo are the same print, by the comparator."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import ModelError
from engine.settings import DEFAULT_MODEL
from engine.verify.appearance import see
from engine.verify.prints import UNTOLD, Comparator, Prints, compare_prints
from engine.verify.reference import FRAME, Reference
from engine.verify.registered import registered, shift_field
from tests.support.drawn import H_TILTED as H
from tests.support.drawn import flat, poster, tilted


@pytest.fixture(scope="module")
def comparator() -> Comparator:
    return Comparator()


def prints(picture: np.ndarray, photo: np.ndarray, comparator: Comparator, by: np.ndarray = H) -> Prints:
    seen = see(Reference(picture), photo, by)
    return compare_prints(seen, None if seen is None else comparator.judge(seen))


def of_a_series(inside: int) -> np.ndarray:
    """A frame and a text box as all prints of the series have them, around another picture."""
    image = poster(1).copy()
    image[96:384, 48:312] = cv2.resize(poster(inside), (264, 288), interpolation=cv2.INTER_AREA)
    return image


class TestPrints:
    def test_the_same_print(self, comparator: Comparator) -> None:
        found = prints(poster(1), tilted(poster(1)), comparator)
        assert found.print_median > 4
        assert found.print_enclosed < 0.02
        assert found.print_contradicted == 0

    def test_a_sister(self, comparator: Comparator) -> None:
        """The frame agrees, the picture inside is another, and agreement encloses it."""
        same = prints(of_a_series(2), tilted(of_a_series(2)), comparator)
        sister = prints(of_a_series(2), tilted(of_a_series(3)), comparator)
        assert sister.print_median < same.print_median - 1
        assert sister.print_enclosed > 0.2 > same.print_enclosed

    def test_one_label(self, comparator: Comparator) -> None:
        """A small difference amid agreement: a small share, and surely a contradiction."""
        other = poster(1).copy()
        other[64:160, 64:192] = poster(5)[64:160, 64:192]
        found = prints(poster(1), tilted(other), comparator)
        assert found.print_contradicted > 1
        assert found.print_enclosed < 0.3

    def test_a_hand_is_no_other_print(self, comparator: Comparator) -> None:
        """What lies in front of the picture cannot be told; it contradicts less than another print of the same size."""
        photo = tilted(poster(1))
        cv2.ellipse(photo, (280, 560), (170, 130), 0, 0, 360, (205, 160, 135), -1)
        hand = prints(poster(1), cv2.GaussianBlur(photo, (0, 0), 1), comparator)
        clear = prints(poster(1), tilted(poster(1)), comparator)
        assert hand.print_hidden > clear.print_hidden + 0.1
        assert hand.print_enclosed < 0.1

    def test_nothing_to_compare(self, comparator: Comparator) -> None:
        away = np.array([[1, 0, 5000], [0, 1, 5000], [0, 0, 1.0]])
        assert prints(flat(), tilted(poster(1)), comparator) == UNTOLD
        assert prints(poster(1), tilted(poster(1)), comparator, away) == UNTOLD

    @pytest.mark.parametrize("size", [(32, 400), (400, 40), (1000, 1400), (64, 64), (5, 900)])
    def test_any_size(self, comparator: Comparator, size: tuple[int, int]) -> None:
        """Narrow, small and large pictures have finite figures, and agree with themselves."""
        picture = cv2.resize(poster(1), size, interpolation=cv2.INTER_AREA)
        found = prints(picture, picture, comparator, np.eye(3))
        assert np.isfinite(list(vars(found).values())).all()
        assert found == UNTOLD or found.print_median > 2

    def test_the_same_in_every_call(self, comparator: Comparator) -> None:
        reference, photo = Reference(poster(1)), tilted(poster(1))
        seen = see(reference, photo, H)
        assert seen is not None
        first = comparator.judge(seen)
        other = see(reference, tilted(poster(2)), H)
        assert other is not None
        comparator.judge(other)
        assert (comparator.judge(seen) == first).all()
        assert first.sum(0) == pytest.approx(1, abs=1e-5)


class TestRegistered:
    def test_a_slip_is_made_good(self) -> None:
        """A homography that is some pixels off is corrected: picture and photo lie on each other."""
        moved = np.array([[1, 0, 9], [0, 1, -7], [0, 0, 1.0]]) @ H
        seen = see(Reference(poster(1)), tilted(poster(1)), moved)
        assert seen is not None
        frames = registered(seen).astype(np.float32)
        width, height = seen.reference.size
        inner = slice(16, height - 16), slice(16, width - 16)
        put_right = np.abs(frames[0] - frames[3])[inner].mean()
        as_it_lay = np.abs(frames[0, :height, :width] - seen.lab[..., 0])[inner].mean()
        assert put_right < 0.6 * as_it_lay
        assert np.abs(shift_field(seen)[inner]).max() <= 8

    def test_frames(self) -> None:
        """Beyond the frame of a picture that is no square there is nothing, and the mask says where the photo ends."""
        seen = see(Reference(poster(1)), tilted(poster(1))[:400], H)
        assert seen is not None
        frames = registered(seen)
        width, height = seen.reference.size
        assert frames.shape == (7, FRAME, FRAME)
        assert not frames[:, :, width:].any()
        assert not frames[:, height:].any()
        assert set(np.unique(frames[6])) == {0, 255}


class TestComparator:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"comparator\.onnx cannot be run"):
            Comparator(tmp_path)

    def test_another_network(self, tmp_path: Path) -> None:
        """A network that takes something else is refused before it is asked."""
        shutil.copy(DEFAULT_MODEL / "patch.onnx", tmp_path / "comparator.onnx")
        with pytest.raises(ModelError, match="is no comparator"):
            Comparator(tmp_path)


def test_a_dark_photo() -> None:
    """Whatever the light: a photo with a twelfth of the picture's contrast shows the same print, and another one
    another."""
    comparator = Comparator()
    found = []
    for shown in (poster(1), poster(2)):
        dark = (tilted(shown) * (1 / 12)).astype(np.uint8)
        seen = see(Reference(poster(1)), dark, H)
        assert seen is not None
        found.append(compare_prints(seen, comparator.judge(seen)).print_median)
    assert found[0] > 3
    assert found[1] < 0


def test_a_grey_photo() -> None:
    """It says nothing of colours: the same print is the same, and another one another."""
    comparator = Comparator()
    found = []
    for shown in (poster(1), poster(2)):
        grey = np.repeat(cv2.cvtColor(tilted(shown), cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
        seen = see(Reference(poster(1)), grey, H)
        assert seen is not None
        found.append(compare_prints(seen, comparator.judge(seen)).print_median)
    assert found[0] > 3
    assert found[1] < 0
