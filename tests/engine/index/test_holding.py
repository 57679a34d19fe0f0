"""Who holds a data folder: on every system, beside others, one after the other, or nobody where it may only be read."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataFolderLocked, ReadOnlyData, StorageFailed
from engine.image import encode_jpeg
from engine.index import heir
from engine.index.folder_lock import SERVER, FolderLock, wait_until_shared
from engine.recognizer import Recognizer
from tests.support.answers import answered
from tests.support.drawn import photo_of, poster
from tests.support.paths import ROOT
from tests.support.powers import make_read_only, make_writable, powerless


class TestLocks:
    def test_one_holder(self, tmp_path: Path) -> None:
        held = FolderLock(tmp_path)
        with pytest.raises(DataFolderLocked):
            FolderLock(tmp_path)
        FolderLock(tmp_path, name=SERVER).release()  # another lock
        held.release()
        FolderLock(tmp_path).release()

    def test_windows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no fcntl there is msvcrt."""
        taken: list[int] = []

        def locking(_file: int, mode: int, size: int) -> None:
            assert (mode, size) == (7, 1)
            if taken:
                raise OSError("locked")
            taken.append(1)

        monkeypatch.setitem(sys.modules, "fcntl", None)
        monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=7))  # type: ignore[arg-type]
        held = FolderLock(tmp_path, shares=True)
        with pytest.raises(DataFolderLocked):
            FolderLock(tmp_path)
        held.release()

    def test_no_locks_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An unknown system is named as what it is, at the lock and not at the import."""
        for name in ("fcntl", "msvcrt"):
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(StorageFailed, match="no file locks"):
            FolderLock(tmp_path)

    @pytest.mark.parametrize("names", [{"fcntl"}, {"msvcrt"}])
    def test_one_place(self, names: set[str]) -> None:
        """What only some systems have is asked for in one function each."""
        found = [p for package in ("engine", "api", "cli") for p in (ROOT / package).rglob("*.py")]
        users = {path.name for path in found for name in names if f"import {name}" in path.read_text()}
        assert users == {"folder_lock.py"}
        for name in ("sched_getaffinity", "process_cpu_count"):
            assert {p.name for p in found if name in p.read_text()} == {"threads.py"}

    def test_released_twice(self, tmp_path: Path) -> None:
        """The second time is nothing: the descriptor may be another file's by then."""
        held = FolderLock(tmp_path)
        held.release()
        with (tmp_path / "stranger").open("wb") as stranger:
            held.release()
            stranger.write(b"still open")

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_failed_taking_over(self, tmp_path: Path) -> None:
        """Whatever it fails with, the folder is given free."""
        kept: list[FolderLock] = []

        def fail(lock: FolderLock) -> None:
            kept.append(lock)
            raise ZeroDivisionError

        waiting = heir.Heir(tmp_path, fail)
        waiting._thread.join()
        FolderLock(tmp_path).release()


class TestWaiting:
    def test_nobody(self, tmp_path: Path) -> None:
        wait_until_shared(tmp_path, pytest.fail)
        assert list(tmp_path.iterdir()) == []

    def test_a_holder_that_shares(self, tmp_path: Path) -> None:
        """One can work beside it: nothing to wait for, and nothing is said."""
        held = FolderLock(tmp_path, shares=True)
        wait_until_shared(tmp_path, lambda: pytest.fail("told"), pause_seconds=0)
        held.release()

    def test_a_holder_alone(self, tmp_path: Path) -> None:
        """A restore, for one: told once, waited for to its end."""
        held = FolderLock(tmp_path)
        told: list[bool] = []

        def end() -> None:
            told.append(True)
            held.release()

        wait_until_shared(tmp_path, end, pause_seconds=0)
        assert told == [True]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Path]:
    """A gallery of two posters."""
    with Recognizer.open(tmp_path / "data") as recognizer:
        recognizer.add_channel("one")
        for number in range(2):
            recognizer.add("one", f"one.{number}", encode_jpeg(poster(number)))
    yield tmp_path / "data"
    make_writable(tmp_path)


class TestTakingOver:
    def test_after_the_holder(self, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who works beside a holder finds what it adds, becomes the holder when it ends, goes on from the files that it
        left, and saves what was added since."""
        taken = threading.Event()
        monkeypatch.setattr(heir._log, "info", lambda *_: taken.set())
        with contextlib.ExitStack() as open_ones:
            first = open_ones.enter_context(Recognizer.open(filled))
            second = Recognizer.open_shared(filled)
            assert second.take_over()
            first.add("one", "one.2", encode_jpeg(poster(2)))
            second.add("one", "one.3", encode_jpeg(poster(3)))
            first.remove("one", "one.0")
            assert answered(second.recognise(photo(2), ["one"])) == "one.2"
            assert not second.info()["holder"]
            open_ones.close()
        assert taken.wait(60)
        assert second.info()["holder"]
        assert not second.take_over()
        with pytest.raises(DataFolderLocked):
            Recognizer.open(filled)
        second.add("one", "one.4", encode_jpeg(poster(4)))
        for number in (1, 2, 3, 4):
            assert answered(second.recognise(photo(number), ["one"])) == f"one.{number}"
        second.close()
        with Recognizer.open(filled) as third:
            assert third.info()["saved_log_position"] == third.info()["log_position"]
            for number in (1, 2, 3, 4):
                assert answered(third.recognise(photo(number), ["one"])) == f"one.{number}"
            assert third.recognise(photo(0), ["one"]).answer is None

    def test_closed_before(self, filled: Path) -> None:
        """Who closes while the holder goes on leaves everything to it."""
        with Recognizer.open(filled) as first:
            second = Recognizer.open_shared(filled)
            assert second.take_over()
            second.close()
            assert first.info()["holder"]
        assert threading.active_count() < 20
        assert [t.name for t in threading.enumerate() if t.name == "folder-heir"] == []

    def test_nothing_to_wait_for(self, filled: Path) -> None:
        with Recognizer.open(filled) as holder:
            assert not holder.take_over()
            with Recognizer.open(filled, hold=False, read_only=True) as reader:
                assert not reader.take_over()


def photo(number: int) -> bytes:
    """Of the poster, from a little aside."""
    return photo_of(poster(number), seed=number, strength=0.2).jpeg


READ = """
import json, sys
from pathlib import Path
from engine.errors import ReadOnlyData
from engine.recognizer import Recognizer
folder, photo = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
found = []
try:
    Recognizer.open(folder)
except ReadOnlyData as error:
    found.append("not held")
for opening in (Recognizer.open_shared, lambda folder: Recognizer.open(folder, hold=False)):
    with opening(folder) as recognizer:
        answer = recognizer.recognise(photo, ["one"]).answer
        found += [answer.picture.identifier, recognizer.info()["pictures"], recognizer.info()["holder"]]
        changes = (
            lambda: recognizer.add("one", "new", photo),
            lambda: recognizer.replace("one", "one.1", photo),
            lambda: recognizer.update("one", "one.1", metadata="x"),
            lambda: recognizer.remove("one", "one.1"),
            lambda: recognizer.add_channel("two"),
        )
        for change in changes:
            try:
                change()
            except ReadOnlyData:
                continue
            found.append("changed")
print(json.dumps(found))
"""


def read(folder: Path, photo: Path) -> Any:
    """What a process finds that has no right to write there."""
    before = sorted(str(path) for path in folder.rglob("*"))
    make_read_only(folder)
    done = subprocess.run(
        powerless(sys.executable, "-W", "error", "-c", READ, str(folder), str(photo)),
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    make_writable(folder)
    assert done.returncode == 0, done.stderr
    assert sorted(str(path) for path in folder.rglob("*")) == before
    return json.loads(done.stdout)


class TestReadOnly:
    @pytest.fixture
    def taken(self, tmp_path: Path) -> Path:
        (tmp_path / "photo.jpg").write_bytes(photo(1))
        return tmp_path / "photo.jpg"

    def test_a_folder_that_may_only_be_read(self, filled: Path, taken: Path) -> None:
        """It is searched; every change is refused, and nothing is left in it."""
        assert read(filled, taken) == ["not held", *(2 * ["one.1", 2, False])]

    def test_without_saved_indexes(self, filled: Path, taken: Path) -> None:
        """They are built in memory."""
        for path in (filled / "index").iterdir():
            path.unlink()
        assert read(filled, taken) == ["not held", *(2 * ["one.1", 2, False])]

    def test_damaged_indexes(self, filled: Path, taken: Path) -> None:
        """They are built anew in memory, and cannot be replaced."""
        (filled / "index" / "manifest.json").write_text("{")
        assert read(filled, taken) == ["not held", *(2 * ["one.1", 2, False])]

    def test_an_index_that_cannot_be_replaced(self, filled: Path) -> None:
        """A catalogue that may be written, with an index that may not: nobody holds the folder, and all works."""
        make_read_only(filled / "index")
        code = "import sys; from pathlib import Path; from engine.recognizer import Recognizer\n"
        code += "with Recognizer.open_shared(Path(sys.argv[1])) as r: r.add_channel('two'); print(r.info()['holder'])"
        done = subprocess.run(
            powerless(sys.executable, "-c", code, str(filled)), cwd=ROOT, capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == ("False\n", "")

    def test_by_wish(self, filled: Path) -> None:
        """Beside a process that changes the gallery: its changes are seen, ones of our own refused."""
        with Recognizer.open(filled) as writer, Recognizer.open(filled, hold=False, read_only=True) as reader:
            writer.add("one", "one.2", encode_jpeg(poster(2)))
            assert answered(reader.recognise(photo(2), ["one"])) == "one.2"
            with pytest.raises(ReadOnlyData):
                reader.add("one", "one.3", encode_jpeg(poster(3)))
            with pytest.raises(ReadOnlyData):
                reader.remove("one", "one.2")

    def test_no_gallery(self, tmp_path: Path) -> None:
        """None is made."""
        with pytest.raises(ReadOnlyData, match="holds no gallery"):
            Recognizer.open(tmp_path, hold=False, read_only=True)
        assert list(tmp_path.iterdir()) == []

    def test_a_save_that_is_refused(self, filled: Path) -> None:
        """The system's own refusal is one of our errors, and the folder is given free."""
        recognizer = Recognizer.open(filled)
        (filled / "index" / "slots-x").mkdir()  # what is not in the manifest is dropped, which a folder refuses
        with pytest.raises(StorageFailed, match="the indexes are not saved"):
            recognizer.close()
        (filled / "index" / "slots-x").rmdir()
        Recognizer.open(filled).close()
