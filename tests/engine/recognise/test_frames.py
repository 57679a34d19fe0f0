"""A frame that resembles one just missed is looked at once; every other one as ever."""

from __future__ import annotations

import numpy as np
import pytest

from engine.image import encode_jpeg
from engine.recognise.frames import ALIKE, SECONDS, Frames
from engine.recognizer import Recognizer
from engine.values import FloatArray
from tests.support.drawn import photo_of, poster


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def turned(similarity: float) -> np.ndarray:
    """A unit vector that has this similarity to the first axis."""
    return np.array([similarity, (1 - similarity**2) ** 0.5, 0], np.float32)


class TestFrames:
    def test_what_resembles(self) -> None:
        """Near enough, and a moment ago; a frame that was spared makes that moment no longer."""
        hand = Hand()
        frames = Frames(clock=hand)
        assert not frames.resembles(turned(1))
        frames.missed(turned(1))
        for step in range(4):
            hand.now = 100 + step * SECONDS / 4
            assert frames.resembles(turned(1))
            assert frames.resembles(turned(ALIKE + 0.01))
            assert not frames.resembles(turned(ALIKE - 0.01))
        hand.now = 100 + SECONDS
        assert not frames.resembles(turned(1))

    def test_another_model(self) -> None:
        """A frame described by another network, after a change of the model, is another frame."""
        frames = Frames()
        frames.missed(turned(1))
        assert not frames.resembles(np.ones(5, np.float32))


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    recognizer = Recognizer.open(tmp_path_factory.mktemp("frames") / "data")
    recognizer.add_channel("one")
    for seed in range(3):
        recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
    return recognizer


class Counted(Frames):
    """Counts second looks that were spent in vain."""

    spent = 0

    def missed(self, frame: FloatArray) -> None:
        self.spent += 1
        super().missed(frame)


class TestRecognise:
    def test_a_camera_held_still(self, recognizer: Recognizer) -> None:
        """The first miss is looked at twice, the next once, after a while twice again; another scene twice at once."""
        hand = Hand()
        frames = Counted(clock=hand)
        still, moved = (photo_of(poster(50), seed=7, strength=strength).jpeg for strength in (0.2, 0.21))
        other = photo_of(poster(60), seed=8, strength=0.2).jpeg
        spent = []
        for photo, waited in ((still, 0), (moved, 0), (moved, SECONDS / 2), (other, 0), (other, SECONDS)):
            hand.now += waited
            assert recognizer.recognise(photo, ["one"], frames=frames).answer is None
            spent.append(frames.spent)
        assert spent == [1, 1, 1, 2, 3]

    def test_answers_are_as_ever(self, recognizer: Recognizer) -> None:
        """What the first look finds is found, whatever was missed before."""
        frames = Frames()
        recognizer.recognise(photo_of(poster(50), seed=7, strength=0.2).jpeg, ["one"], frames=frames)
        photo = photo_of(poster(1), seed=3, strength=0.2).jpeg
        with_frames, without = (recognizer.recognise(photo, ["one"], frames=f).answer for f in (frames, None))
        assert with_frames is not None
        assert without is not None
        assert with_frames.match_ratio == without.match_ratio
