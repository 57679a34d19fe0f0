"""The file of the counts. Only this module touches DuckDB.

`event` has one row for each answered match and is append-only, without key or index: the crash reports
about DuckDB concern those. Rows carry a growing `seq`. `daily` sums all events up to the newest `rollup.seq`;
a count is therefore `daily` plus the events after it, whatever the clock did. `day` is fixed when the event
is written, in the time zone of that moment.

After an error that DuckDB calls fatal it refuses every further call: the file is opened anew, and what was being
written is written again where its numbers are not there. A file that cannot be read any more is set aside by the
server, which counts on in a new one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import duckdb

from api.errors import StatisticsError
from api.stats.safekeeping import FILE_NAME as FILE_NAME
from api.stats.safekeeping import LOG_NAME, NOTE_NAME, aside, set_aside
from engine.catalogue import SequenceNote

T = TypeVar("T")
_log = logging.getLogger(__name__)
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
_OPTIONS: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
"""Never fetch an extension: a server that reaches for the network while counting is a surprise."""
_READ_ALL = (
    "SELECT (SELECT sum(hash(seq, happened, day, user_id, channel, identifier)) FROM event), "
    "(SELECT sum(hash(day, user_id, channel, identifier, n)) FROM daily), (SELECT max(seq) FROM rollup)"
)
"""DuckDB compares a block with its sum when it reads it: 0.1 s a million events."""
_NOT_DAMAGE = re.compile(
    "lock on file|permission|no space|disk full|too many open|read-only|version number|newer version|out of memory"
    "|cannot open|is a directory",
    re.IGNORECASE,
)
"""What DuckDB says of a file that may be sound: another process has it, or the system lets nobody at it."""
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


@dataclass(frozen=True, kw_only=True)
class CountState:
    """How the counting goes."""

    failing: str
    """Why nothing can be counted at the moment; empty where it can."""
    missing: int
    """Counts that were acknowledged and are not in the file any more."""
    aside: tuple[str, ...]
    """Names of damaged files that were set aside."""


class CountStore:
    """One process opens the file; its threads each work on a cursor of their own."""

    def __init__(self, folder: Path, *, read_only: bool = False, setting_aside: bool = False) -> None:
        """read_only: nothing is counted; what was, is read where it can be. setting_aside: a damaged file, or only its
        log where that is enough, is renamed, and what is left is counted on. Raises StatisticsError."""
        self.read_only, self._setting_aside, self._folder = read_only, setting_aside, folder
        self._path = _path_for_duckdb(folder)
        self._note = SequenceNote(folder / NOTE_NAME)
        self._free = threading.Condition()
        """Guards what follows; notified when a cursor is given back."""
        self._cursors, self._generation = 0, 0
        self._failing, self._missing = "", 0
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.last_seq = 0
        with _translated():
            self._connect()

    # Opening

    def _connect(self) -> None:
        """Raises DuckDB's errors."""
        path = self._path
        if self.read_only:
            self._connection = _opened_to_read(path)
            self.last_seq = _last_seq(self._connection)
            return
        try:
            self._connection = self._opened(path)
        except duckdb.Error as error:
            if _NOT_DAMAGE.search(str(error)):
                raise
            if not self._setting_aside:
                raise StatisticsError(
                    f"{path} is damaged ({_first_line(error)}): the next `obverse serve` sets it aside and counts in a "
                    "new one; the counts of a backup come back with `obverse restore`"
                ) from error
            self._connection = self._without_damaged(path, error)
        found, noted = _last_seq(self._connection), self._note.read()
        self._missing = max(0, noted - found)
        if self._missing:
            _log.error(
                "%s ends at count %d, %d were acknowledged: its write-ahead log was damaged or lost, or an older copy "
                "was put in its place; %d counts are missing",
                FILE_NAME, found, noted, self._missing,
            )  # fmt: skip
        # Numbers that were given once are not given again: they tell what is missing.
        self.last_seq = max(found, noted)

    def _opened(self, path: str) -> duckdb.DuckDBPyConnection:
        """Raises DuckDB's errors, also where a part of the file cannot be read."""
        connection = duckdb.connect(path, config=_OPTIONS)
        try:
            connection.execute(_SCHEMA)
            if self._setting_aside:
                connection.execute(_READ_ALL).fetchall()
        except duckdb.Error:
            connection.close()
            raise
        return connection

    def _without_damaged(self, path: str, error: duckdb.Error) -> duckdb.DuckDBPyConnection:
        """First without the log, which holds the newest counts; then without any."""
        moved = set_aside(self._folder, LOG_NAME)
        if moved is not None:
            _log.error("the log of the counts is damaged (%s) and set aside as %s", _first_line(error), moved.name)
            with contextlib.suppress(duckdb.Error):
                return self._opened(path)
        moved = set_aside(self._folder, FILE_NAME)
        if moved is not None:
            _log.error(
                "the counts are damaged (%s) and set aside as %s; matches are counted in a new file",
                _first_line(error), moved.name,
            )  # fmt: skip
            # The file that is there now lacks nothing: it is another one.
            self._note.write(0)
        return self._opened(path)

    def _reopen(self, generation: int) -> None:
        """Once for all that were refused. Raises StatisticsError; the next who is refused tries again."""
        with self._free:
            # DuckDB gives the invalid file to whoever opens it while one cursor is left.
            self._free.wait_for(lambda: self._cursors == 0)
            if generation != self._generation:
                return
            if self._connection is not None:
                with contextlib.suppress(duckdb.Error):
                    self._connection.close()
                self._connection = None
            with _translated():
                self._connect()
            self._generation += 1
        _log.warning("the counts were opened anew")

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Raises DuckDB's errors."""
        with self._free:
            if self._connection is None:
                raise duckdb.FatalException("the file could not be opened again")
            cursor = self._connection.cursor()
            self._cursors += 1
        try:
            with cursor:
                yield cursor
        finally:
            with self._free:
                self._cursors -= 1
                self._free.notify_all()

    def _do(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `work` gives; it is called again where the file had to be opened anew. Raises StatisticsError."""
        generation = self._generation
        try:
            with _translated(), self._cursor() as cursor:
                return work(cursor)
        except StatisticsError as error:
            if not isinstance(error.__cause__, duckdb.FatalException):
                raise
            _log.warning("DuckDB has given up the file of the counts: %s", _first_line(error.__cause__))
        self._reopen(generation)
        with _translated(), self._cursor() as cursor:
            return work(cursor)

    # Counting

    def append(self, events: Sequence[Event]) -> None:
        """All of them in one durable transaction. For one thread: it numbers the events. Raises StatisticsError where
        they are not there; an error of which they are there all the same is none."""
        first, last = self.last_seq + 1, self.last_seq + len(events)
        rows = [
            list(range(first, last + 1)),
            [e.at for e in events],
            [e.day for e in events],
            [e.user_id for e in events],
            [e.channel for e in events],
            [e.identifier for e in events],
        ]
        kinds = ("BIGINT[]", "TIMESTAMP[]", "DATE[]", "INTEGER[]", "VARCHAR[]", "VARCHAR[]")
        columns = ", ".join(f"unnest(?::{kind})" for kind in kinds)
        tries = 0

        def write(cursor: duckdb.DuckDBPyConnection) -> None:
            nonlocal tries
            tries += 1
            # A commit may fail behind the point from which it is durable.
            if tries == 1 or not _is_there(cursor, last):
                cursor.execute(f"INSERT INTO event SELECT {columns}", rows)

        try:
            self._do(write)
        except StatisticsError as error:
            if not self._was_written(last):
                self._failing = str(error)
                raise
        self.last_seq, self._failing = last, ""
        self._note.write(last)

    def _was_written(self, seq: int) -> bool:
        try:
            return self._do(lambda cursor: _is_there(cursor, seq))
        except StatisticsError:
            return False

    def roll_up(self) -> None:
        """Sums the events so far into `daily`, in one transaction. For the thread that appends. Raises
        StatisticsError."""

        def write(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO daily SELECT day, user_id, channel, identifier, count(*) FROM event "
                "WHERE seq > (SELECT coalesce(max(seq), 0) FROM rollup) GROUP BY ALL"
            )
            cursor.execute("INSERT INTO rollup VALUES (?)", [self.last_seq])
            cursor.execute("COMMIT")

        self._do(write)

    def state(self) -> CountState:
        """How the counting goes."""
        return CountState(failing=self._failing, missing=self._missing, aside=tuple(aside(self._folder)))

    def try_again(self) -> CountState:
        """Writes, where the last count could not be written, something that counts nothing; how the counting goes
        then."""
        if self._failing:
            with contextlib.suppress(StatisticsError):
                self._do(lambda cursor: cursor.execute("INSERT INTO rollup VALUES (0)"))
                self._failing = ""
        return self.state()

    # Asking

    def by_day(self, question: Question, *, group: Group) -> list[DayCount]:
        """Counts by day and channel or identifier, ordered by both; days without any are left out."""
        where, values = _conditions(question)
        query = f"SELECT day, {group}, sum(n)::BIGINT FROM {_COUNTS} WHERE {where} GROUP BY ALL ORDER BY 1, 2"
        rows = self._do(lambda cursor: cursor.execute(query, values).fetchall())
        return [DayCount(day=day, name=name, count=count) for day, name, count in rows]

    def top(self, question: Question, *, limit: int) -> list[tuple[str, str, int]]:
        """(channel, identifier, count) of the pictures that matched most."""
        where, values = _conditions(question)
        query = (
            f"SELECT channel, identifier, sum(n)::BIGINT FROM {_COUNTS} WHERE {where} "
            "GROUP BY ALL ORDER BY 3 DESC, 1, 2 LIMIT ?"
        )
        found: list[tuple[str, str, int]] = self._do(lambda cursor: cursor.execute(query, [*values, limit]).fetchall())
        return found

    def ever_counted(self, user_id: int, identifier: str, *, channel: str | None) -> bool:
        """Whether the user's picture was ever answered, perhaps before it was removed."""
        question = Question(
            first=dt.date.min, last=dt.date.max, user_id=user_id, channel=channel, identifier=identifier
        )
        where, values = _conditions(question)
        query = f"SELECT 1 FROM {_COUNTS} WHERE {where} LIMIT 1"
        return self._do(lambda cursor: cursor.execute(query, values).fetchone()) is not None

    def counted_among(self, channel: str, identifiers: Sequence[str], *, user_id: int | None) -> set[str]:
        """Those of the identifiers that were ever answered in the channel; user_id: when this user asked."""
        question = Question(first=dt.date.min, last=dt.date.max, user_id=user_id, channel=channel)
        where, values = _conditions(question)
        query = (
            f"SELECT DISTINCT identifier FROM {_COUNTS} WHERE {where} AND identifier IN (SELECT unnest(?::VARCHAR[]))"
        )
        rows = self._do(lambda cursor: cursor.execute(query, [*values, list(identifiers)]).fetchall())
        return {identifier for (identifier,) in rows}

    def close(self) -> None:
        """Raises StatisticsError where the log cannot be written into the file; it is closed all the same, and the
        next opening reads the log."""
        if self._connection is None:
            return
        with _translated():
            try:
                if not self.read_only:
                    self._connection.execute("CHECKPOINT")
            finally:
                self._connection.close()


def _path_for_duckdb(folder: Path) -> str:
    """Absolute: `md:x/events.duckdb` would be an address. Raises StatisticsError for what DuckDB takes for no path, or
    for another one: behind a `?` it looks for options, and opens its log elsewhere."""
    path = str((folder / FILE_NAME).resolve())
    if "?" in path or path.encode("utf-8", "replace").decode() != path:
        raise StatisticsError(
            f"DuckDB, which keeps the counts, opens nothing in {folder}: rename the folder so that its path is UTF-8 "
            "and holds no question mark"
        )
    return path


def _opened_to_read(path: str) -> duckdb.DuckDBPyConnection:
    """What was counted; nothing where no file is, or where the one process that counts has it open."""
    try:
        return duckdb.connect(path, config=_OPTIONS, read_only=True)
    except duckdb.Error as error:
        if Path(path).exists():
            _log.warning("the counts of the past cannot be read: %s", error)
    nothing = duckdb.connect(":memory:", config=_OPTIONS)
    nothing.execute(_SCHEMA)
    return nothing


def _last_seq(connection: duckdb.DuckDBPyConnection) -> int:
    found = connection.execute("SELECT greatest(coalesce(max(seq), 0), 0) FROM event").fetchone()
    assert found is not None
    return int(found[0])


def _is_there(cursor: duckdb.DuckDBPyConnection, seq: int) -> bool:
    found: object = cursor.execute("SELECT 1 FROM event WHERE seq = ?", [seq]).fetchone()
    return found is not None


def _first_line(error: BaseException) -> str:
    """DuckDB may add a trace of its own."""
    return str(error).split("\n", 1)[0]


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
        raise StatisticsError(f"the counts cannot be written or read: {_first_line(error)}") from error
