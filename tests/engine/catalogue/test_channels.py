"""Channels: their names, owners and quotas, and what goes with one that is removed."""

from __future__ import annotations

from typing import Any

import pytest

from engine.catalogue import Catalogue, channels
from engine.catalogue.transactions import writing
from engine.errors import (
    ChannelExists,
    ChannelNotFound,
)
from tests.support.made_catalogue import add, state


class TestChannelNumbers:
    """Names are looked up together."""

    NAMES = tuple(f"channel.{number}" for number in range(1234))
    """More than one query takes: 500 (`channels._NAMES_AT_ONCE`)."""

    @pytest.fixture
    def many(self, catalogue: Catalogue) -> Catalogue:
        with writing(catalogue.database) as connection:
            for name in self.NAMES:
                channels.insert(connection, name, owner=None, quota=None)
        return catalogue

    def test_order_and_each_once(self, many: Catalogue) -> None:
        """In the order of the names, each once, however many."""
        by_name = {channel.name: channel.id for channel in many.channels()}
        asked = [*reversed(self.NAMES), "one", *self.NAMES[:600]]
        assert many.channel_numbers(asked) == [by_name[name] for name in (*reversed(self.NAMES), "one")]

    @pytest.mark.parametrize("place", [0, 499, 500, 1234])
    def test_a_missing_name(self, many: Catalogue, place: int) -> None:
        """Wherever it stands among them, ChannelNotFound names it."""
        asked = [*self.NAMES[:place], "none", *self.NAMES[place:]]
        with pytest.raises(ChannelNotFound) as caught:
            many.channel_numbers(asked)
        assert caught.value.channel == "none"

    def test_none(self, catalogue: Catalogue) -> None:
        """No names have no numbers."""
        assert catalogue.channel_numbers([]) == []


class TestChannels:
    def test_added(self, catalogue: Catalogue) -> None:
        """A channel has its name, owner and quota, and no pictures."""
        made = catalogue.add_channel("two", owner=7, quota=5)
        assert catalogue.channel("two") == made
        assert (made.name, made.owner, made.quota) == ("two", 7, 5)
        assert catalogue.counts() == {"one": 0, "two": 0}

    def test_names_are_unique(self, catalogue: Catalogue) -> None:
        """A name is taken once; case makes a difference."""
        with pytest.raises(ChannelExists):
            catalogue.add_channel("one")
        catalogue.add_channel("One")
        assert [c.name for c in catalogue.channels()] == ["One", "one"]

    def test_by_owner(self, catalogue: Catalogue) -> None:
        """Each owner sees the own channels."""
        catalogue.add_channel("mine", owner=1)
        catalogue.add_channel("theirs", owner=2)
        assert [c.name for c in catalogue.channels(owner=1)] == ["mine"]

    def test_update(self, catalogue: Catalogue) -> None:
        """Owner and quota may change; a channel that is not there is told."""
        assert catalogue.update_channel("one", owner=3, quota=9).owner == 3
        assert catalogue.channel("one").quota == 9
        with pytest.raises(ChannelNotFound):
            catalogue.update_channel("none", owner=1, quota=1)

    def test_removed_with_its_pictures(self, catalogue: Catalogue) -> None:
        """Its pictures go with it, each in the log; others stay."""
        catalogue.add_channel("two")
        kept = add(catalogue, "kept", "two")
        gone = [add(catalogue, f"gone.{n}") for n in range(3)]
        assert catalogue.remove_channel("one") == 3
        assert [p.id for p in catalogue.all_pictures()] == [kept.id]
        removed = [c.picture_id for c in catalogue.changes(after=0) if c.kind == "remove"]
        assert removed == [p.id for p in gone]
        assert catalogue.features([p.id for p in gone]) == []
        assert catalogue.rendition(gone[0].id) is None
        with pytest.raises(ChannelNotFound):
            catalogue.channel("one")

    def test_numbers_are_never_used_again(self, catalogue: Catalogue) -> None:
        """A channel made anew under an old name is another one."""
        before = catalogue.channel("one").id
        catalogue.remove_channel("one")
        assert catalogue.add_channel("one").id > before

    @pytest.mark.parametrize(
        "call",
        [
            lambda c: c.channel("none"),
            lambda c: c.channel_numbers(["one", "none"]),
            lambda c: c.remove_channel("none"),
            lambda c: add(c, "abc", "none"),
            lambda c: c.remove_picture("none", "abc"),
            lambda c: c.update_picture("none", "abc", metadata=""),
            lambda c: c.picture("none", "abc"),
            lambda c: c.pictures("none"),
            lambda c: c.count("none"),
            lambda c: c.check_room("none", "abc"),
        ],
    )
    def test_unknown(self, catalogue: Catalogue, call: Any) -> None:
        """Whatever is asked of a channel that is not there: ChannelNotFound, with its name."""
        before = state(catalogue)
        with pytest.raises(ChannelNotFound) as caught:
            call(catalogue)
        assert caught.value.channel == "none"
        assert state(catalogue) == before
