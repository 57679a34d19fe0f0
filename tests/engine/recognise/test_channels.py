"""Which channels a photo is searched in, and how their names are looked up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from engine.catalogue import channels
from engine.catalogue.transactions import writing
from engine.errors import ChannelNotFound
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.answers import answered, assert_answer
from tests.support.drawn import photo_of, poster

PHOTO = encode_jpeg(poster(1))


@contextlib.contextmanager
def statements(recognizer: Recognizer) -> Iterator[list[str]]:
    """The SQL that reads or writes in the recognizer's database meanwhile."""
    ran: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            ran.append(statement)

    sa.event.listen(recognizer.catalogue.database, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        sa.event.remove(recognizer.catalogue.database, "before_cursor_execute", note)


def add_channels(recognizer: Recognizer, names: list[str]) -> None:
    """In one transaction: each of its own would wait for the disk."""
    with writing(recognizer.catalogue.database) as connection:
        for name in names:
            channels.insert(connection, name, owner=None, quota=None)


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


class TestLookUp:
    @pytest.fixture
    def names(self, recognizer: Recognizer) -> list[str]:
        """Three hundred channels, the picture in the last of them."""
        names = [f"channel.{number}" for number in range(300)]
        add_channels(recognizer, names)
        recognizer.add(names[-1], "abc", PHOTO)
        recognizer.recognise(PHOTO, names)  # what only the first call reads is read now
        return names

    def test_one_query_however_many(self, recognizer: Recognizer, names: list[str]) -> None:
        """Three hundred names are looked up in one query: a search over them runs as many as over one channel."""
        with statements(recognizer) as over_one:
            assert answered(recognizer.recognise(PHOTO, names[-1:])) == "abc"
        with statements(recognizer) as over_all:
            assert answered(recognizer.recognise(PHOTO, names)) == "abc"
        assert len(over_all) == len(over_one)
        assert sum("FROM channel" in statement for statement in over_all) == 1

    def test_channels_need_none(self, recognizer: Recognizer, names: list[str]) -> None:
        """Channels that the catalogue has given are not looked up again; names beside them are."""
        known = recognizer.catalogue.channels()
        with statements(recognizer) as by_value:
            assert answered(recognizer.recognise(PHOTO, known)) == "abc"
        assert not any("FROM channel" in statement for statement in by_value)
        with statements(recognizer) as mixed:
            assert answered(recognizer.recognise(PHOTO, [*known[:3], names[-1]])) == "abc"
        assert sum("FROM channel" in statement for statement in mixed) == 1

    @pytest.mark.parametrize(
        "call",
        [
            lambda recognizer, names: recognizer.recognise(PHOTO, names),
            lambda recognizer, names: recognizer.similar(PHOTO, names),
            lambda recognizer, names: recognizer.examine(PHOTO, names),
        ],
        ids=["recognise", "similar", "examine"],
    )
    def test_a_missing_name(self, recognizer: Recognizer, call: Callable[[Recognizer, list[str]], Any]) -> None:
        """One name that no channel has: ChannelNotFound says which, the first of them where there are several."""
        for names in (["one", "none"], ["none", "one", "nor.this"], ["none"]):
            with pytest.raises(ChannelNotFound) as caught:
                call(recognizer, names)
            assert caught.value.channel == "none"
