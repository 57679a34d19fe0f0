"""The file of the counts. Only this module touches DuckDB.

`event` has one row for each answered match and is append-only, without key or index: the crash reports
about DuckDB concern those. Rows carry a growing `seq`. `daily` sums all events up to the newest `rollup.seq`;
a count is therefore `daily` plus the events after it, whatever the clock did. `day` is fixed when the event
is written, in the time zone of that moment.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from api.errors import StatisticsError

FILE_NAME = "events.duckdb"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    seq BIGINT NOT NULL, happened TIMESTAMP NOT NULL, day DATE NOT NULL,
    user_id INTEGER NOT NULL, channel VARCHAR NOT NULL, identifier VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS daily (
    day DATE NOT NULL, user_id INTEGER NOT NULL, channel VARCHAR NOT NULL, identifier VARCHAR NOT NULL,
    n BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS rollup (seq BIGINT NOT NULL);
"""
_COUNTS = """(
    SELECT day, user_id, channel, identifier, n FROM daily
    UNION ALL
    SELECT day, user_id, channel, identifier, 1 FROM event WHERE seq > (SELECT coalesce(max(seq), 0) FROM rollup))
"""
Group = Literal["channel", "identifier"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """One answered match."""

    at: dt.datetime
    """UTC, without a zone."""
    day: dt.date
    """The day it counts for."""
    user_id: int
    """Who asked."""
    channel: str
    """The channel's name at that moment."""
    identifier: str
    """The picture's at that moment."""


@dataclass(frozen=True, kw_only=True)
class DayCount:
    """How often a channel, or a picture of one, was answered on a day."""

    day: dt.date
    name: str
    """A channel or an identifier, whichever was asked for."""
    count: int


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which counts are asked for."""

    first: dt.date
    """The first day."""
    last: dt.date
    """The last day, inclusive."""
    user_id: int | None = None
    """Who asked; None: anybody."""
    channel: str | None = None
    """None: all channels."""
    identifier: str | None = None
    """None: all pictures."""


class CountStore:
    """One process opens the file; its threads each work on a cursor of their own."""

    def __init__(self, folder: Path) -> None:
        # Never fetch an extension: a server that reaches for the network while counting is a surprise.
        options: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        with _translated():
            self._connection = duckdb.connect(str(folder / FILE_NAME), config=options)
            self._connection.execute(_SCHEMA)
            newest = self._connection.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
        assert newest is not None
        self.last_seq: int = newest[0]

    def append(self, events: Sequence[Event]) -> None:
        """All of them in one durable transaction. For one thread: it numbers the events."""
        rows = [
            list(range(self.last_seq + 1, self.last_seq + 1 + len(events))),
            [e.at for e in events],
            [e.day for e in events],
            [e.user_id for e in events],
            [e.channel for e in events],
            [e.identifier for e in events],
        ]
        kinds = ("BIGINT[]", "TIMESTAMP[]", "DATE[]", "INTEGER[]", "VARCHAR[]", "VARCHAR[]")
        columns = ", ".join(f"unnest(?::{kind})" for kind in kinds)
        with self._cursor() as cursor:
            cursor.execute(f"INSERT INTO event SELECT {columns}", rows)
        self.last_seq += len(events)

    def roll_up(self) -> None:
        """Sums the events so far into `daily`, in one transaction. For the thread that appends."""
        with self._cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO daily SELECT day, user_id, channel, identifier, count(*) FROM event "
                "WHERE seq > (SELECT coalesce(max(seq), 0) FROM rollup) GROUP BY ALL"
            )
            cursor.execute("INSERT INTO rollup VALUES (?)", [self.last_seq])
            cursor.execute("COMMIT")

    def by_day(self, question: Question, *, group: Group) -> list[DayCount]:
        """Counts by day and channel or identifier, ordered by both; days without any are left out."""
        where, values = _conditions(question)
        query = f"SELECT day, {group}, sum(n)::BIGINT FROM {_COUNTS} WHERE {where} GROUP BY ALL ORDER BY 1, 2"
        with self._cursor() as cursor:
            rows = cursor.execute(query, values).fetchall()
        return [DayCount(day=day, name=name, count=count) for day, name, count in rows]

    def top(self, question: Question, *, limit: int) -> list[tuple[str, str, int]]:
        """(channel, identifier, count) of the pictures that matched most."""
        where, values = _conditions(question)
        query = (
            f"SELECT channel, identifier, sum(n)::BIGINT FROM {_COUNTS} WHERE {where} "
            "GROUP BY ALL ORDER BY 3 DESC, 1, 2 LIMIT ?"
        )
        with self._cursor() as cursor:
            return cursor.execute(query, [*values, limit]).fetchall()

    def ever_counted(self, user_id: int, identifier: str, *, channel: str | None) -> bool:
        """Whether the user's picture was ever answered, perhaps before it was removed."""
        question = Question(
            first=dt.date.min, last=dt.date.max, user_id=user_id, channel=channel, identifier=identifier
        )
        where, values = _conditions(question)
        with self._cursor() as cursor:
            return cursor.execute(f"SELECT 1 FROM {_COUNTS} WHERE {where} LIMIT 1", values).fetchone() is not None

    def close(self) -> None:
        with _translated():
            self._connection.execute("CHECKPOINT")
            self._connection.close()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with _translated(), self._connection.cursor() as cursor:
            yield cursor


def _conditions(question: Question) -> tuple[str, list[Any]]:
    conditions, values = ["day BETWEEN ? AND ?"], [question.first, question.last]
    for name in ("user_id", "channel", "identifier"):
        value = getattr(question, name)
        if value is not None:
            conditions.append(f"{name} = ?")
            values.append(value)
    return " AND ".join(conditions), values


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise StatisticsError(f"the counts cannot be written or read: {error}") from error
