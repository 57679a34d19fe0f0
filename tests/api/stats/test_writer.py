"""The writer of the counts, and what survives a kill."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import zoneinfo
from pathlib import Path

import pytest

from api.errors import StatisticsError
from api.stats.store import CountStore, Question
from api.stats.writer import CountWriter

ALWAYS = Question(first=dt.date.min, last=dt.date.max)


class TestWriter:
    def test_all_are_committed(self, tmp_path: Path) -> None:
        store = CountStore(tmp_path)
        writer = CountWriter(store, time_zone="UTC")
        futures = [writer.count(1, "books", f"n.{n % 7}") for n in range(500)]
        for future in futures:
            assert future.result(timeout=20) is None
        assert sum(count.count for count in store.by_day(ALWAYS, group="channel")) == 500
        writer.close()
        store.close()

    def test_time_zone(self, tmp_path: Path) -> None:
        """The day of a count is the day at that place."""
        store = CountStore(tmp_path)
        for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
            writer = CountWriter(store, time_zone=zone)
            before = dt.datetime.now(zoneinfo.ZoneInfo(zone)).date()
            writer.count(1, zone, "one.1").result(timeout=20)
            after = dt.datetime.now(zoneinfo.ZoneInfo(zone)).date()
            writer.close()
            found = store.by_day(Question(first=dt.date.min, last=dt.date.max, channel=zone), group="channel")
            assert found[0].day in (before, after)
        store.close()

    def test_failure_is_told(self, tmp_path: Path) -> None:
        """A count that cannot be written fails its own request and leaves the writer working."""
        store = CountStore(tmp_path)
        writer = CountWriter(store, time_zone="UTC")
        with store._cursor() as cursor:
            cursor.execute("ALTER TABLE event RENAME TO hidden")
        with pytest.raises(StatisticsError):
            writer.count(1, "books", "one.1").result(timeout=20)
        with store._cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO event")
        writer.count(1, "books", "one.1").result(timeout=20)
        writer.close()
        store.close()

    @pytest.mark.slow
    def test_kill(self, tmp_path: Path) -> None:
        """Twenty kills while eight threads count: nothing acknowledged is lost."""
        acknowledged = 0
        for _ in range(20):
            process = subprocess.Popen(
                [sys.executable, "-c", COUNTING, str(tmp_path)], stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            for _ in range(200):
                process.stdout.readline()
            process.kill()
            acknowledged += 200 + len(process.stdout.read().splitlines())
            process.wait()
            process.stdout.close()
            store = CountStore(tmp_path)
            assert sum(count.count for count in store.by_day(ALWAYS, group="channel")) >= acknowledged
            store.close()


COUNTING = """
import sys, threading
from pathlib import Path
from api.stats.store import CountStore
from api.stats.writer import CountWriter
writer = CountWriter(CountStore(Path(sys.argv[1])), time_zone="UTC")
def work():
    while True:
        writer.count(1, "books", "one.1").result()
        sys.stdout.write("1\\n"); sys.stdout.flush()
for _ in range(8):
    threading.Thread(target=work).start()
"""
