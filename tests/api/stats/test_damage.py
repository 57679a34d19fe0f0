"""Counts on a bad day: DuckDB gives its file up, the disk is full, or files are damaged. None is counted twice, what is
lost is told, and recognition goes on."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from api.errors import StatisticsError
from api.stats import numbers
from api.stats.store import CountStore, Event, Question
from api.stats.writer import CountWriter
from tests.support.paths import ROOT
from tests.support.small_disk import fill_up, needs_root, small_disk

ALWAYS = Question(first=dt.date.min, last=dt.date.max)
GIVEN_UP = duckdb.FatalException("FATAL Error: database has been invalidated")


def events(count: int, *, channel: str = "books") -> list[Event]:
    day = dt.date(2026, 3, 1)
    at = dt.datetime(2026, 3, 1, 12)
    return [Event(at=at, day=day, user_id=1, channel=channel, identifier=f"one.{n}") for n in range(count)]


def total(store: CountStore) -> int:
    return sum(count.count for count in store.by_day(ALWAYS, group="channel"))


class GivingUp:
    """A cursor with which DuckDB gives up at the first statement that begins with some words."""

    def __init__(self, real: Any, words: str, *, done: bool) -> None:
        """done: the statement is durable when it does."""
        self._real, self._words, self._done = real, words, done

    def execute(self, statement: str, *values: Any) -> Any:
        if not statement.startswith(self._words):
            return self._real.execute(statement, *values)
        if self._done:
            self._real.execute(statement, *values)
        raise GIVEN_UP


def give_up(store: CountStore, words: str, *, done: bool = False, times: int = 1) -> None:
    real, left = store._cursor, [times]

    @contextlib.contextmanager
    def cursor() -> Iterator[Any]:
        with real() as opened:
            left[0] -= 1
            yield GivingUp(opened, words, done=done) if left[0] >= 0 else opened

    store._cursor = cursor  # type: ignore[method-assign]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CountStore]:
    made = CountStore(tmp_path, setting_aside=True)
    made.append(events(3))
    yield made
    made.close()


class TestGivenUp:
    """After an error that DuckDB calls fatal every call is refused until the file is opened anew."""

    @pytest.mark.parametrize("done", [False, True], ids=["before it is durable", "after"])
    def test_append(self, store: CountStore, done: bool) -> None:
        """Each event is there once, and that is what is answered."""
        give_up(store, "INSERT INTO event", done=done)
        store.append(events(4))
        assert (total(store), store.last_seq) == (7, 7)
        store.append(events(2))
        assert total(store) == 9
        assert store.state().failing == ""

    @pytest.mark.parametrize("words", ["INSERT INTO daily", "INSERT INTO rollup", "COMMIT"])
    @pytest.mark.parametrize("done", [False, True])
    def test_roll_up(self, store: CountStore, words: str, done: bool) -> None:
        give_up(store, words, done=done)
        store.roll_up()
        store.append(events(2))
        assert total(store) == 5

    def test_reading(self, store: CountStore) -> None:
        give_up(store, "SELECT")
        assert total(store) == 3

    def test_again(self, store: CountStore) -> None:
        """Where the new opening does not help, the caller is told; the next one tries anew, with the same numbers."""
        give_up(store, "INSERT INTO event", times=2)
        with pytest.raises(StatisticsError):
            store.append(events(4))
        assert store.state().failing
        assert numbers.in_words(store.state()) == "matches cannot be counted at the moment, and are refused"
        store.append(events(4))
        assert (total(store), store.last_seq, store.state().failing) == (7, 7, "")

    def test_written_after_all(self, store: CountStore) -> None:
        """An error of which the events are there all the same is no failure: who is told so counts them again."""
        give_up(store, "INSERT INTO event", done=True, times=1)
        real = store._reopen

        def reopen(_: int) -> None:
            store._reopen = real  # type: ignore[method-assign]
            raise StatisticsError("not yet")

        store._reopen = reopen  # type: ignore[method-assign]
        store.append(events(4))
        assert (total(store), store.last_seq) == (7, 7)

    def test_tried_again(self, store: CountStore) -> None:
        """/ready writes something that counts nothing, and knows then."""
        give_up(store, "INSERT INTO", times=5)
        with pytest.raises(StatisticsError):
            store.append(events(1))
        assert store.try_again().failing
        assert store.try_again().failing == ""
        assert total(store) == 3

    def test_many_readers(self, store: CountStore) -> None:
        """The file is opened anew once for all who were refused; who reads meanwhile waits."""
        real = store._cursor

        @contextlib.contextmanager
        def cursor() -> Iterator[Any]:
            with real() as opened:
                yield opened if store._generation else GivingUp(opened, "SELECT", done=False)

        store._cursor = cursor  # type: ignore[method-assign]
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(total(store))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [3] * 6
        assert store._generation == 1

    def test_writer(self, tmp_path: Path) -> None:
        """Days that cannot be summed keep no match from being counted."""
        store = CountStore(tmp_path)
        writer = CountWriter(store, time_zone="UTC")
        give_up(store, "BEGIN", times=2)
        writer.count(1, "books", "one.1").result(timeout=20)
        writer.count(1, "books", "one.1").result(timeout=20)
        assert total(store) == 2
        writer.close()
        store.close()


@pytest.mark.slow
@needs_root
class TestFullDisk:
    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        with small_disk(tmp_path / "disk", megabytes=12) as mounted:
            yield mounted

    def test_checkpoint(self, disk: Path, caplog: pytest.LogCaptureFixture) -> None:
        """DuckDB gives up at a checkpoint for which there is no room, behind a commit that is durable: no match is
        refused, none counted twice."""
        store = CountStore(disk, setting_aside=True)
        with store._cursor() as cursor:
            cursor.execute("SET checkpoint_threshold='1MB'")
        counted = 0
        while (disk / "events.duckdb.wal").stat().st_size < 900_000:
            store.append(events(20, channel="c" * 250))
            counted += 20
        fill_up(disk, leave=300_000)
        while "given up" not in caplog.text:
            store.append(events(20, channel="c" * 250))
            counted += 20
        (disk / "filler").unlink()
        store.append(events(1))
        assert total(store) == counted + 1
        store.close()

    def test_no_room_at_all(self, disk: Path) -> None:
        """A match that cannot be counted is refused; when there is room again, counting goes on by itself."""
        store = CountStore(disk, setting_aside=True)
        store.append(events(20))
        fill_up(disk)

        def count_on() -> None:
            while True:
                store.append(events(20))

        with pytest.raises(StatisticsError):
            count_on()
        assert store.state().failing
        counted = store.last_seq
        (disk / "filler").unlink()
        store.append(events(1))
        assert total(store) == counted + 1
        assert store.state().failing == ""
        store.close()


COUNTING = """
import os, sys
from pathlib import Path
from tests.api.stats.test_damage import CountStore, events
store = CountStore(Path(sys.argv[1]))
store.append(events(3))
store.close()
store = CountStore(Path(sys.argv[1]))
for _ in range(24):
    store.append(events(1))
os._exit(0)
"""
"""Ends as a killed server does: 3 counts are in the file, 24 in its log alone."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", COUNTING, str(folder)], check=True, cwd=ROOT)
    return folder


@pytest.fixture
def folder(killed: Path, tmp_path: Path) -> Path:
    for path in killed.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3 if path.suffix == ".wal" else 100] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garble(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def lose(path: Path) -> None:
    path.unlink()


class TestDamaged:
    def test_whole(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            store = CountStore(folder, setting_aside=True)
        assert caplog.messages == []
        assert (total(store), numbers.in_words(store.state())) == (27, "")
        store.close()

    @pytest.mark.parametrize("harm", [flip, cut, empty, garble, lose])
    @pytest.mark.parametrize("name", ["events.duckdb", "events.duckdb.wal"])
    def test_harmed(
        self, folder: Path, caplog: pytest.LogCaptureFixture, name: str, harm: Callable[[Path], None]
    ) -> None:
        """The server counts on. What cannot be read is set aside whole, what is missing is told, in the log, by
        /ready and by the metrics; and so it is at the next start."""
        harm(folder / name)
        before = (folder / name).read_bytes() if (folder / name).exists() else b""
        with caplog.at_level(logging.ERROR):
            store = CountStore(folder, setting_aside=True)
        left = total(store)
        assert left < 27
        assert caplog.messages
        state = store.state()
        if name.endswith(".wal"):
            assert (left + state.missing, not state.failing) == (27, True)
            assert left >= 3
        for moved in state.aside:
            if moved.startswith(f"{name}.damaged"):
                assert (folder / moved).read_bytes() == before
        assert numbers.in_words(state)
        (family,) = numbers.CountNumbers(store).collect()
        told = {sample.labels["what"]: sample.value for sample in family.samples}
        assert told == {"failing": 0, "missing": state.missing, "set_aside": len(state.aside)}
        assert told["missing"] + told["set_aside"] > 0
        store.append(events(2))
        assert total(store) == left + 2
        store.close()
        again = CountStore(folder, setting_aside=True)
        assert total(again) == left + 2
        assert again.state().aside == state.aside
        assert again.state().missing == 0
        again.close()

    @pytest.mark.parametrize("harm", [flip, garble])
    def test_for_a_command(self, folder: Path, harm: Callable[[Path], None]) -> None:
        """Who only asks moves nothing, and is told the way out."""
        harm(folder / "events.duckdb")
        names = sorted(path.name for path in folder.iterdir())
        with pytest.raises(StatisticsError, match="obverse serve"):
            CountStore(folder)
        assert sorted(path.name for path in folder.iterdir()) == names

    @pytest.mark.parametrize(
        "refusal",
        [
            'IO Error: Could not set lock on file "events.duckdb": Conflicting lock is held',
            'IO Error: Cannot open file "events.duckdb": Permission denied',
            "IO Error: Trying to read a database file with version number 99, but we can only read version 64",
            "IO Error: No space left on device",
        ],
    )
    def test_no_damage(self, folder: Path, monkeypatch: pytest.MonkeyPatch, refusal: str) -> None:
        """A file that another has, that nobody is let at, or that a newer DuckDB wrote stays where it is."""

        def connect(*_: object, **__: object) -> object:
            raise duckdb.IOException(refusal)

        names = sorted(path.name for path in folder.iterdir())
        with monkeypatch.context() as patched:
            patched.setattr(duckdb, "connect", connect)
            with pytest.raises(StatisticsError):
                CountStore(folder, setting_aside=True)
        assert sorted(path.name for path in folder.iterdir()) == names

    def test_a_block_that_is_read_late(self, tmp_path: Path) -> None:
        """What is damaged behind the parts that an opening reads is found at the opening all the same."""
        store = CountStore(tmp_path)
        store.append(events(5000))
        store.close()
        path = tmp_path / "events.duckdb"
        content = bytearray(path.read_bytes())
        at = content.index(b"one.4")
        content[at] ^= 1
        path.write_bytes(content)
        store = CountStore(tmp_path, setting_aside=True)
        assert store.state().aside
        assert total(store) == 0
        store.close()

    @pytest.mark.parametrize("text", ["", "x", "27", "-0000000000000000001\n", "9" * 400])
    def test_note(self, folder: Path, text: str) -> None:
        """A note that cannot be read says nothing."""
        (folder / "events.seq").write_text(text)
        store = CountStore(folder, setting_aside=True)
        assert (total(store), store.state().missing) == (27, 0)
        store.close()
