"""A writer that is killed at any moment loses nothing that it acknowledged."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.drawn import poster

ROUNDS = 20
PICTURES = 24

WRITER = """
import random, sys
from pathlib import Path
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
data, pictures, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
recognizer = Recognizer.open(data, EngineSettings(tail=6))
if "one" not in recognizer.catalogue.counts():
    recognizer.add_channel("one")
there = {p.identifier for p in recognizer.list("one", limit=1000)}
print("ready", flush=True)
while True:
    name = f"pic.{rng.randrange(len(list(pictures.iterdir())))}"
    if name in there:
        print("removing", name, flush=True)
        recognizer.remove("one", name)
        there.discard(name)
        print("removed", name, flush=True)
    else:
        print("adding", name, flush=True)
        recognizer.add("one", name, (pictures / name).read_bytes())
        there.add(name)
        print("added", name, flush=True)
    if rng.random() < 0.15:
        recognizer.checkpoint()
"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Drawn posters as files, pic.0 to pic.23."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(PICTURES):
        (folder / f"pic.{seed}").write_bytes(encode_jpeg(poster(seed)))
    return folder


def killed(data: Path, pictures: Path, number: int, lines: list[str]) -> None:
    """Runs the writer for a while, kills it, and appends what it had said."""
    command = [sys.executable, "-c", WRITER, str(data), str(pictures), str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        rng = random.Random(number)
        lines += [writer.stdout.readline().strip() for _ in range(rng.randrange(2, 40))]
        time.sleep(rng.uniform(0, 0.12))
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.read().splitlines()
    assert writer.returncode == -signal.SIGKILL


def acknowledged(lines: list[str]) -> tuple[set[str], str | None]:
    """What must be there, and the picture of an operation that was begun but not acknowledged, if any."""
    there: set[str] = set()
    pending = None
    for line in lines:
        if not line.count(" "):  # cut off in the middle of a word
            continue
        what, name = line.split(" ", 1)
        if what in ("adding", "removing"):
            pending = name
        elif name == pending:
            pending = None
            (there.add if what == "added" else there.discard)(name)
    return there, pending


def assert_whole(data: Path) -> None:
    """SQLite's own check, no features or rendition missing, and one entry in the log for each change."""
    with contextlib.closing(sqlite3.connect(data / "catalogue.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = [
            connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("picture", "feature", "rendition")
        ]
        kinds = dict(connection.execute("SELECT kind, count(*) FROM change GROUP BY kind"))
    assert len(set(counts)) == 1
    assert kinds.get("add", 0) - kinds.get("remove", 0) == counts[0]


@pytest.mark.slow
class TestKilled:
    def test_twenty_times(self, tmp_path: Path, pictures: Path) -> None:
        """Twenty times killed at random: nothing acknowledged is lost, nothing is torn, and the gallery opens
        and recognises at once."""
        data, expected, operations = tmp_path / "data", set[str](), 0
        for number in range(ROUNDS):
            lines = [f"{what} {name}" for name in sorted(expected) for what in ("adding", "added")]
            before = len(lines)
            killed(data, pictures, number, lines)
            operations += len(lines) - before
            there, pending = acknowledged(lines)
            with Recognizer.open(data) as recognizer:
                found = {p.identifier for p in recognizer.list("one", limit=1000)}
                assert found - {pending} == there - {pending}
                for name in sorted(found)[:3]:
                    answer = recognizer.recognise((pictures / name).read_bytes(), ["one"]).answer
                    assert answer is not None
                    assert answer.picture.identifier == name
                gone = next((p for p in sorted(pictures.iterdir()) if p.name not in found), None)
                if gone is not None:
                    assert recognizer.recognise(gone.read_bytes(), ["one"]).answer is None
                for picture in recognizer.list("one", limit=1000):
                    row = recognizer.catalogue.features([picture.id])[0]
                    assert len(row[3]) == 16 * picture.keypoints
            assert_whole(data)
            expected = found
        assert operations > 10 * ROUNDS
