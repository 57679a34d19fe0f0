"""Which channels a photo is searched in."""

from __future__ import annotations

from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.answers import assert_answer
from tests.support.drawn import photo_of, poster


class TestChannels:
    def test_several_at_once(self, recognizer: Recognizer) -> None:
        """One call searches several channels, and the answer names the right one; others are not searched."""
        for n, name in enumerate(["two", "three", "four"]):
            recognizer.add_channel(name)
            for seed in range(3):
                recognizer.add(name, f"poster.{n * 3 + seed}", encode_jpeg(poster(n * 3 + seed)))
        for seed, name in ((0, "two"), (4, "three"), (8, "four")):
            photo = photo_of(poster(seed), seed=seed, strength=0.25)
            found = recognizer.recognise(photo.jpeg, ["one", "two", "three", "four", "two"])
            assert_answer(found, f"poster.{seed}", channel=name)
            others = [c for c in ("one", "two", "three", "four") if c != name]
            assert recognizer.recognise(photo.jpeg, others).answer is None
