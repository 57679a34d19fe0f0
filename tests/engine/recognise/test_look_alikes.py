"""Pictures that resemble each other, and the same picture added twice."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.answers import answered, assert_answer, quad_error
from tests.support.drawn import photo_of, poster


def labelled(seed: int, text: str, *, colour: tuple[int, int, int] = (250, 250, 245)) -> np.ndarray:
    """One of a series: the same poster with another word, or another colour, on its label."""
    image = poster(seed).copy()
    cv2.rectangle(image, (90, 180), (270, 260), colour, -1)
    cv2.putText(image, text, (96, 240), cv2.FONT_HERSHEY_DUPLEX, 2, (20, 20, 20), 3)
    return image


SERIES = {
    "word": (lambda seed: labelled(seed, "GOLD"), lambda seed: labelled(seed, "MILD")),
    "colour": (
        lambda seed: labelled(seed, "SALT", colour=(225, 60, 50)),
        lambda seed: labelled(seed, "SALT", colour=(70, 170, 80)),
    ),
}


class TestLookAlikes:
    @pytest.mark.parametrize("kind", SERIES)
    def test_never_confidently_wrong(self, recognizer: Recognizer, kind: str) -> None:
        """Of two pictures that differ in one label the photo's own is the answer, or none; both are listed."""
        wrong, right = [], 0
        for seed in range(4):
            for member, draw in zip("ab", SERIES[kind], strict=True):
                recognizer.add("one", f"{kind}.{seed}.{member}", encode_jpeg(draw(seed)))
        for seed in range(4):
            for member, draw in zip("ab", SERIES[kind], strict=True):
                photo = photo_of(draw(seed), seed=seed * 2 + 1, strength=0.25)
                found = recognizer.recognise(photo.jpeg, ["one"], k=3)
                listed = {m.picture.identifier for m in found.results}
                assert {f"{kind}.{seed}.a", f"{kind}.{seed}.b"} <= listed
                if answered(found) == f"{kind}.{seed}.{member}":
                    right += 1
                elif found.answer is not None:
                    wrong.append((seed, member, found.answer.match_ratio))
        assert wrong == []
        assert right >= 1

    def test_a_stranger_of_the_series(self, recognizer: Recognizer) -> None:
        """A third member of a series, which was never added, is not taken for one that was."""
        for seed in range(3):
            recognizer.add("one", f"gold.{seed}", encode_jpeg(labelled(seed, "GOLD")))
        for seed in range(3):
            stranger = poster(500 + seed).copy()
            stranger[:120] = labelled(seed, "GOLD")[:120]
            photo = photo_of(stranger, seed=seed, strength=0.2)
            assert recognizer.recognise(photo.jpeg, ["one"]).answer is None


class TestTwins:
    def test_added_twice(self, recognizer: Recognizer) -> None:
        """The same picture twice in a channel: the one added first answers, the other stands in the list, and
        neither takes from the other's match ratio."""
        photo = photo_of(poster(1), seed=1, strength=0.25)
        recognizer.add("one", "first", encode_jpeg(poster(1)))
        alone = recognizer.recognise(photo.jpeg, ["one"])
        recognizer.add("one", "second", encode_jpeg(poster(1)))
        found = recognizer.recognise(photo.jpeg, ["one"], k=3)
        answer = assert_answer(found, "first", photo, channel="one")
        assert [m.picture.identifier for m in found.results] == ["first", "second"]
        assert alone.answer is not None
        assert answer.match_ratio == pytest.approx(alone.answer.match_ratio, abs=0.5)

    def test_in_two_channels(self, recognizer: Recognizer) -> None:
        """In two channels likewise; and each channel alone answers with its own."""
        recognizer.add_channel("two")
        recognizer.add("two", "older", encode_jpeg(poster(1)))
        recognizer.add("one", "newer", encode_jpeg(poster(1)))
        photo = photo_of(poster(1), seed=1, strength=0.25)
        for channels in (["one", "two"], ["two", "one"]):
            assert_answer(recognizer.recognise(photo.jpeg, channels), "older", photo, channel="two")
        assert_answer(recognizer.recognise(photo.jpeg, ["one"]), "newer", photo, channel="one")
        recognizer.remove("two", "older")
        assert_answer(recognizer.recognise(photo.jpeg, ["one", "two"]), "newer", photo, channel="one")

    def test_many_copies(self, recognizer: Recognizer) -> None:
        """Ten copies are no more trouble than two."""
        for n in range(10):
            recognizer.add("one", f"copy.{n}", encode_jpeg(poster(1)))
        photo = photo_of(poster(1), seed=1, strength=0.25)
        assert_answer(recognizer.recognise(photo.jpeg, ["one"]), "copy.0", photo, channel="one")

    @pytest.mark.parametrize("how", ["another quality", "another size"])
    def test_stored_from_another_file(self, recognizer: Recognizer, how: str) -> None:
        """The same picture from two files: whichever of them resembles the photo more, there is an answer."""
        recognizer.add("one", "first", encode_jpeg(poster(1), quality=95))
        other = poster(1) if how == "another quality" else cv2.resize(poster(1), (540, 720))
        recognizer.add("one", "second", encode_jpeg(other, quality=75))
        photo = photo_of(poster(1), seed=1, strength=0.25)
        found = recognizer.recognise(photo.jpeg, ["one"])
        assert answered(found) in ("first", "second")
        assert quad_error(found.results[0], photo) < 0.03
