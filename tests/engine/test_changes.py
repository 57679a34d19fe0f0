"""What changes of a picture, seen from the front door."""

from __future__ import annotations

from typing import Any

import pytest

from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.answers import assert_answer
from tests.support.drawn import photo_of, poster


class TestChanges:
    def test_life_of_a_picture(self, recognizer: Recognizer) -> None:
        """Added, found, changed, hidden, shown, removed: each takes effect with the next photo."""
        photo = photo_of(poster(1), seed=1, strength=0.2).jpeg
        added = recognizer.add("one", "abc", encode_jpeg(poster(1)), metadata="m", facts={"a": 1})
        assert recognizer.get("one", "abc") == added
        assert_answer(recognizer.recognise(photo, ["one"]), "abc", channel="one")
        assert recognizer.update("one", "abc", metadata="n").metadata == "n"
        recognizer.update("one", "abc", active=False)
        assert recognizer.recognise(photo, ["one"], k=5).results == ()
        recognizer.update("one", "abc", active=True, identifier="xyz")
        assert_answer(recognizer.recognise(photo, ["one"]), "xyz", channel="one")
        assert recognizer.remove("one", "xyz") is True
        assert recognizer.remove("one", "xyz") is False
        assert recognizer.recognise(photo, ["one"], k=5).results == ()

    @pytest.mark.parametrize("field", ["note", "channel", "uuid", "level"])
    def test_a_field_that_cannot_change(self, recognizer: Recognizer, field: str) -> None:
        """A field that a picture has not, or that nobody may set, is a TypeError that names it; nothing is changed."""
        jpeg = encode_jpeg(poster(1))
        before = recognizer.add("one", "abc", jpeg, metadata="old")
        changes: dict[str, Any] = {"metadata": "new", field: "x"}
        calls: tuple[Any, ...] = (
            lambda: recognizer.update("one", "abc", **changes),
            lambda: recognizer.replace("one", "abc", image=jpeg, **changes),
        )
        for call in calls:
            with pytest.raises(TypeError, match=rf"\b{field}\b"):
                call()
        assert recognizer.get("one", "abc") == before
        assert recognizer.catalogue.last_seq() == 1

    def test_added_inactive(self, recognizer: Recognizer) -> None:
        """A picture may be added hidden."""
        recognizer.add("one", "abc", encode_jpeg(poster(1)), active=False)
        assert recognizer.recognise(encode_jpeg(poster(1)), ["one"]).answer is None

    def test_thresholds(self, recognizer: Recognizer) -> None:
        """A picture's own threshold decides instead of the default; what does not reach it is still listed."""
        photo = encode_jpeg(poster(1))
        recognizer.add("one", "abc", encode_jpeg(poster(1)), threshold=100)
        found = recognizer.recognise(photo, ["one"])
        assert found.answer is None
        assert [(m.picture.identifier, m.accepted) for m in found.results] == [("abc", False)]
        for threshold in (0.0, found.results[0].match_ratio - 0.1, None):
            recognizer.update("one", "abc", threshold=threshold)
            assert_answer(recognizer.recognise(photo, ["one"]), "abc", channel="one")

    def test_list(self, recognizer: Recognizer) -> None:
        """Pictures are listed by identifier, in pages."""
        for seed in (2, 0, 1):
            recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
        assert [p.identifier for p in recognizer.list("one")] == ["poster.0", "poster.1", "poster.2"]
        assert [p.identifier for p in recognizer.list("one", offset=1, limit=1)] == ["poster.1"]
