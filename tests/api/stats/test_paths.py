"""Counts in folders whose names mean something else to DuckDB."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from api.errors import StatisticsError
from api.stats.store import CountStore, Event, Question

ALWAYS = Question(first=dt.date.min, last=dt.date.max)


@pytest.mark.parametrize("name", ["a%20b", "a#b", "md:a", "s3:", "a b'c", "書"], ids=ascii)
def test_where_they_lie(tmp_path: Path, name: str) -> None:
    """In the folder, log and all."""
    folder = tmp_path / name
    folder.mkdir()
    at = dt.datetime(2026, 3, 1, 12)
    for opening in range(1, 3):
        store = CountStore(folder)
        store.append([Event(at=at, day=at.date(), user_id=1, channel="books", identifier="one.1")])
        assert {"events.duckdb", "events.duckdb.wal"} <= {path.name for path in folder.iterdir()}
        assert [count.count for count in store.by_day(ALWAYS, group="channel")] == [opening]
        store.close()
    reader = CountStore(folder, read_only=True)
    assert [count.count for count in reader.by_day(ALWAYS, group="channel")] == [2]
    reader.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`md:` is an address of a service to DuckDB."""
    monkeypatch.chdir(tmp_path)
    Path("md:x").mkdir()
    CountStore(Path("md:x")).close()
    assert (tmp_path / "md:x" / "events.duckdb").exists()


@pytest.mark.parametrize("name", ["a?b=c", "?", os.fsdecode(b"caf\xe9")], ids=ascii)
def test_what_duckdb_cannot(tmp_path: Path, name: str) -> None:
    """A sentence instead of a log in another folder, before anything is made; by a link, too."""
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    for place in (folder, tmp_path / "link"):
        with pytest.raises(StatisticsError, match="rename the folder"):
            CountStore(place)
    assert list(folder.iterdir()) == []
