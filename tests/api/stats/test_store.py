"""The file of the counts, and its roll-up."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.errors import StatisticsError
from api.stats.store import CountStore, DayCount, Event, Question

ALWAYS = Question(first=dt.date.min, last=dt.date.max)


def event(day: int, channel: str = "books", identifier: str = "one.1", user: int = 1) -> Event:
    at = dt.datetime(2026, 3, day, 12)
    return Event(at=at, day=at.date(), user_id=user, channel=channel, identifier=identifier)


class TestStore:
    def test_groups(self, tmp_path: Path) -> None:
        store = CountStore(tmp_path)
        store.append([event(1), event(1), event(2), event(2, "films"), event(2, identifier="two.2"), event(2, user=2)])
        mine = Question(first=dt.date(2026, 3, 1), last=dt.date(2026, 3, 31), user_id=1)
        by_channel = [(count.day.day, count.name, count.count) for count in store.by_day(mine, group="channel")]
        assert by_channel == [(1, "books", 2), (2, "books", 2), (2, "films", 1)]
        books = Question(first=mine.first, last=mine.last, user_id=1, channel="books")
        by_identifier = [(count.day.day, count.name, count.count) for count in store.by_day(books, group="identifier")]
        assert by_identifier == [(1, "one.1", 2), (2, "one.1", 1), (2, "two.2", 1)]
        assert store.top(mine, limit=1) == [("books", "one.1", 3)]
        assert store.ever_counted(1, "two.2", channel=None)
        assert not store.ever_counted(2, "two.2", channel=None)
        assert not store.ever_counted(1, "two.2", channel="films")
        store.close()

    def test_counted_among(self, tmp_path: Path) -> None:
        """Of those that are asked about, before and after a roll-up; only the channel's, and the user's."""
        store = CountStore(tmp_path)
        store.append([event(1), event(1), event(2, "films", identifier="two.2"), event(3, identifier="x'y", user=2)])
        for _ in range(2):
            asked = ["one.1", "two.2", "x'y", "none"]
            assert store.counted_among("books", asked, user_id=None) == {"one.1", "x'y"}
            assert store.counted_among("books", asked, user_id=1) == {"one.1"}
            assert store.counted_among("films", asked, user_id=1) == {"two.2"}
            assert store.counted_among("books", [], user_id=None) == set()
            store.roll_up()
        store.close()

    def test_empty(self, tmp_path: Path) -> None:
        store = CountStore(tmp_path)
        assert store.by_day(ALWAYS, group="channel") == []
        store.roll_up()
        assert store.top(ALWAYS, limit=5) == []
        store.close()

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.one_of(st.integers(1, 5), st.none()), max_size=12))
    def test_roll_up_changes_no_answer(self, tmp_path_factory: pytest.TempPathFactory, steps: list[int | None]) -> None:
        """Events of any day, in any order, with roll-ups (None) anywhere between."""
        store = CountStore(tmp_path_factory.mktemp("rollup"))
        expected: dict[int, int] = {}
        for step in steps:
            if step is None:
                store.roll_up()
            else:
                store.append([event(step), event(step)])
                expected[step] = expected.get(step, 0) + 2
        found = store.by_day(ALWAYS, group="identifier")
        assert found == [DayCount(day=dt.date(2026, 3, d), name="one.1", count=n) for d, n in sorted(expected.items())]
        store.close()

    def test_reopened(self, tmp_path: Path) -> None:
        for _ in range(3):
            store = CountStore(tmp_path)
            store.append([event(1)])
            store.roll_up()
            store.close()
        store = CountStore(tmp_path)
        assert store.last_seq == 3
        assert store.by_day(ALWAYS, group="channel")[0].count == 3
        store.close()

    def test_second_opener(self, tmp_path: Path) -> None:
        """Another process is refused with our own error while the file is open."""
        store = CountStore(tmp_path)
        code = f"from pathlib import Path; from api.stats.store import CountStore; CountStore(Path({str(tmp_path)!r}))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "StatisticsError" in done.stderr
        store.close()

    def test_no_network(self, tmp_path: Path) -> None:
        """DuckDB fetches extensions by itself unless it is told not to."""
        store = CountStore(tmp_path)
        with store._cursor() as cursor:
            rows = cursor.execute(
                "SELECT value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions'"
            ).fetchall()
        assert rows == [("false",), ("false",)]
        store.close()

    def test_damaged(self, tmp_path: Path) -> None:
        (tmp_path / "events.duckdb").write_bytes(b"no database" * 1000)
        with pytest.raises(StatisticsError):
            CountStore(tmp_path)
