"""Whose counts are told, and how much is looked up for it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.accounts.store import Accounts, User
from api.rules.counts import CountRules
from api.settings import Settings
from api.stats.store import CountStore, Event
from api.stats.writer import CountWriter
from engine.catalogue import Catalogue, StoredFeatures
from engine.errors import PictureNotFound

DAYS = (dt.date(2026, 1, 1), dt.date(2026, 12, 31))
FEATURES = StoredFeatures(keypoints=b"k" * 16, vector=b"v" * 8)


class Counting:
    """The rules on a folder, with the users alice and bob."""

    def __init__(self, catalogue: Catalogue, store: CountStore, writer: CountWriter) -> None:
        self.catalogue, self.store = catalogue, store
        self.rules = CountRules(Settings(), catalogue, store, writer)
        accounts = Accounts(catalogue.database)
        for name in ("alice", "bob"):
            accounts.add_user(name)
        self.alice, self.bob = accounts.user("alice"), accounts.user("bob")

    def add(self, owner: User, channel: str, *identifiers: str) -> None:
        self.catalogue.add_channel(channel, owner=owner.id)
        for identifier in identifiers:
            self.catalogue.add_picture(channel, identifier, FEATURES, level=3, size=(9, 9), keypoints=1)

    def count(self, user: User, channel: str, identifier: str) -> None:
        at = dt.datetime(2026, 3, 1, 12)
        self.store.append([Event(at=at, day=at.date(), user_id=user.id, channel=channel, identifier=identifier)])

    def asked(self, user: User, identifier: str, *, channel: str | None = None) -> int:
        place = None if channel is None else self.catalogue.channel(channel)
        return sum(c.count for c in self.rules.matches_by_day(user, DAYS, channel=place, identifier=identifier))


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with contextlib.closing(Catalogue(tmp_path)) as catalogue, contextlib.closing(CountStore(tmp_path)) as store:
        writer = CountWriter(store, time_zone="UTC")
        yield Counting(catalogue, store, writer)
        writer.close()


class TestKnown:
    def test_there(self, counting: Counting) -> None:
        """A picture that is there and was never answered has no counts."""
        counting.add(counting.alice, "a", "one.1")
        assert counting.asked(counting.alice, "one.1") == 0
        assert counting.asked(counting.alice, "one.1", channel="a") == 0

    def test_counted_before_it_was_removed(self, counting: Counting) -> None:
        counting.add(counting.alice, "a", "one.1")
        counting.count(counting.alice, "a", "one.1")
        counting.catalogue.remove_picture("a", "one.1")
        assert counting.asked(counting.alice, "one.1") == 1
        assert counting.asked(counting.alice, "one.1", channel="a") == 1

    @pytest.mark.parametrize("identifier", ["two.2", "x", "", "' OR 1 --"])
    @pytest.mark.parametrize("channel", [None, "a"])
    def test_never(self, counting: Counting, identifier: str, channel: str | None) -> None:
        """Neither there nor ever counted; another user's is none of this one's."""
        counting.add(counting.alice, "a", "one.1")
        counting.add(counting.bob, "b", "two.2")
        counting.count(counting.bob, "b", "two.2")
        with pytest.raises(PictureNotFound):
            counting.asked(counting.alice, identifier, channel=channel)

    def test_in_the_other_channel(self, counting: Counting) -> None:
        counting.add(counting.alice, "a", "one.1")
        counting.add(counting.alice, "b")
        with pytest.raises(PictureNotFound):
            counting.asked(counting.alice, "one.1", channel="b")


class TestLookUps:
    @pytest.mark.parametrize("identifier", ["one.1", "never"])
    def test_as_many_for_many_channels(self, counting: Counting, identifier: str) -> None:
        """The catalogue is asked as often for a user of fifty channels as for one of a single one."""
        statements: list[str] = []

        @sa.event.listens_for(counting.catalogue.database, "before_cursor_execute")
        def _note(_c: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        counting.add(counting.alice, "a.0", "one.1")
        asked = []
        for number in range(50):
            if number in (1, 49):
                statements.clear()
                with contextlib.suppress(PictureNotFound):
                    counting.asked(counting.alice, identifier)
                asked.append(len([s for s in statements if s.startswith("SELECT")]))
            counting.add(counting.alice, f"b.{number}")
        assert asked == [1, 1]
