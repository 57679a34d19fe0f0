"""What the file system may do to a catalogue: odd paths, folders that may only be read, failures, losses."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.catalogue import Catalogue, transactions, upgrade
from engine.catalogue.catalogue import MIGRATIONS
from engine.catalogue.sqlite import DATABASE_NAME, copy_database
from engine.catalogue.transactions import reading, storage_error, writing
from engine.errors import DamagedData, OtherForm, ReadOnlyData, StorageBusy, StorageError, StorageFailed, StorageFull
from tests.support.made_catalogue import add, identifiers
from tests.support.paths import ROOT
from tests.support.powers import make_read_only, make_writable, powerless

ODD_NAMES = ["a?mode=memory", "a%20b%zz", "a#b", "a&b=c;d", "naïve 書", "file:x", ":memory:", 'it\'s "so"', b"caf\xe9"]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Path]:
    """A data folder with the picture "abc"; nobody has it open."""
    folder = tmp_path / "data"
    with contextlib.closing(Catalogue(folder)) as made:
        made.add_channel("one")
        add(made, "abc")
    yield folder
    make_writable(tmp_path)


class TestPaths:
    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names(self, tmp_path: Path, name: str | bytes) -> None:
        """The catalogue lies where it was asked for, whatever the path would mean to SQLite or in a URL."""
        folder = tmp_path / (os.fsdecode(name) if isinstance(name, bytes) else name)
        for opening in range(2):
            with contextlib.closing(Catalogue(folder)) as catalogue:
                if not opening:
                    catalogue.add_channel("one")
                    add(catalogue, "abc")
                assert identifiers(catalogue) == ["abc"]
        assert [path.name for path in tmp_path.iterdir()] == [folder.name]
        assert (folder / DATABASE_NAME).stat().st_size > 0
        copy_database(folder / DATABASE_NAME, folder / "copy?x.db")
        assert (folder / "copy?x.db").stat().st_size > 0


class TestFailures:
    """Each failure of SQLite has a class of ours, and is one sentence that names the file."""

    @pytest.mark.parametrize(
        ("kind", "ours"),
        [
            ("SQLITE_FULL", StorageFull),
            ("SQLITE_BUSY", StorageBusy),
            ("SQLITE_BUSY_SNAPSHOT", StorageBusy),
            ("SQLITE_LOCKED", StorageBusy),
            ("SQLITE_PROTOCOL", StorageBusy),
            ("SQLITE_READONLY", ReadOnlyData),
            ("SQLITE_READONLY_DIRECTORY", ReadOnlyData),
            ("SQLITE_IOERR_FSYNC", StorageFailed),
            ("SQLITE_CANTOPEN", StorageFailed),
            ("SQLITE_PERM", StorageFailed),
            ("SQLITE_CORRUPT", DamagedData),
            ("SQLITE_NOTADB", DamagedData),
            ("SQLITE_CONSTRAINT_UNIQUE", None),
            ("SQLITE_ERROR", None),
            (None, None),
        ],
    )
    def test_classes(self, kind: str | None, ours: type[StorageError] | None) -> None:
        error = sqlite3.OperationalError("what SQLite says")
        if kind is not None:
            error.sqlite_errorname = kind  # type: ignore[misc]
        found = storage_error(error, "/srv/data/catalogue.db")
        assert type(found) is (ours or type(None))
        if found is not None:
            assert "/srv/data/catalogue.db" in str(found)
            assert "\n" not in str(found)

    def test_locked(self, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("engine.catalogue.sqlite.BUSY_SECONDS", 0)
        with contextlib.closing(Catalogue(filled)) as catalogue, contextlib.closing(other(filled)) as held:
            held.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageBusy, match="try again"):
                catalogue.add_channel("two")
            held.execute("ROLLBACK")
            assert catalogue.add_channel("two").name == "two"

    def test_damaged(self, filled: Path) -> None:
        (filled / DATABASE_NAME).write_bytes(b"no database" * 1000)
        with pytest.raises(DamagedData, match="restore a backup"):
            Catalogue(filled)

    def test_no_file(self, tmp_path: Path) -> None:
        """A folder stands where the file should be."""
        (tmp_path / DATABASE_NAME).mkdir()
        with pytest.raises(StorageFailed, match="permissions"):
            Catalogue(tmp_path)

    def test_raw_errors(self, filled: Path) -> None:
        """SQLite's own classes are translated as SQLAlchemy's are."""
        with contextlib.closing(Catalogue(filled)) as catalogue:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR"  # type: ignore[misc]
            for enter in (reading, writing):
                with pytest.raises(StorageFailed), enter(catalogue.database):
                    raise error


def other(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)


READ = """
import contextlib, json, sys
from pathlib import Path
from engine.catalogue import Catalogue
from engine.errors import ObverseError
try:
    with contextlib.closing(Catalogue(Path(sys.argv[1]))) as catalogue:
        found = [catalogue.read_only, catalogue.counts(), [p.identifier for p in catalogue.all_pictures()]]
        try:
            catalogue.add_channel("two")
        except ObverseError as error:
            found.append(type(error).__name__)
    print(json.dumps(found))
except ObverseError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def read(folder: Path) -> Any:
    """What a process finds that has no right to write there."""
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    make_read_only(folder)
    done = subprocess.run(
        powerless(sys.executable, "-W", "error", "-c", READ, str(folder)), cwd=ROOT, capture_output=True, text=True
    )
    make_writable(folder)
    assert done.returncode == 0, done.stderr
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()) == before
    return json.loads(done.stdout)


class TestReadOnlyFolder:
    WHOLE: tuple[Any, ...] = (True, {"one": 1}, ["abc"], "ReadOnlyData")

    def test_at_rest(self, filled: Path) -> None:
        assert read(filled) == [*self.WHOLE]

    @pytest.mark.parametrize("name", ["a?mode=rw", "a%41#b"])
    def test_odd_names(self, filled: Path, name: str) -> None:
        assert read(filled.rename(filled.with_name(name))) == [*self.WHOLE]

    def test_while_another_has_it_open(self, filled: Path) -> None:
        """Changes that wait in the log are seen, too."""
        with contextlib.closing(Catalogue(filled)) as catalogue:
            catalogue.add_channel("late")
            assert read(filled)[:3] == [True, {"late": 0, "one": 1}, ["abc"]]

    def test_after_a_kill(self, filled: Path) -> None:
        """What a process left in the log is read with its shared memory file; without that, it is said what to do."""
        with contextlib.closing(Catalogue(filled)) as catalogue:
            catalogue.add_channel("late")
            left = filled.with_name("left")
            shutil.copytree(filled, left)
        assert (left / f"{DATABASE_NAME}-wal").stat().st_size > 0
        assert read(left)[1] == {"late": 0, "one": 1}
        (left / f"{DATABASE_NAME}-shm").unlink()
        kind, told = read(left)
        assert kind == "ReadOnlyData"
        assert "open the gallery once as a user who may write" in told
        with contextlib.closing(Catalogue(left)) as again:
            assert set(again.counts()) == {"late", "one"}
        assert read(left)[0] is True

    def test_an_older_form(self, filled: Path) -> None:
        with contextlib.closing(other(filled)) as database:
            database.execute("UPDATE engine_version SET version_num = 'engine0001'")
        kind, told = read(filled)
        assert kind == "OtherForm"
        assert "needs an upgrade" in told

    def test_by_wish(self, filled: Path) -> None:
        """A folder that could be written to, beside a process that does: it sees the changes and makes none."""
        with (
            contextlib.closing(Catalogue(filled, read_only=True)) as reader,
            contextlib.closing(Catalogue(filled)) as writer,
        ):
            writer.add_channel("two")
            assert (reader.read_only, writer.read_only) == (True, False)
            assert set(reader.counts()) == {"one", "two"}
            with pytest.raises(ReadOnlyData):
                reader.remove_channel("one")
            # And what would go round our own check is stopped by SQLite.
            with pytest.raises(ReadOnlyData), reading(reader.database) as connection:
                connection.execute(sa.text("DELETE FROM channel"))
            assert set(writer.counts()) == {"one", "two"}


class TestALostCatalogue:
    """A gallery's other files without its catalogue are no fresh installation."""

    @pytest.mark.parametrize("how", ["missing", "empty", "without tables"])
    @pytest.mark.parametrize("beside", ["index/manifest.json", "events.duckdb", "secrets.key"])
    def test_refused(self, filled: Path, how: str, beside: str) -> None:
        (filled / beside).parent.mkdir(exist_ok=True)
        (filled / beside).write_bytes(b"something")
        path = filled / DATABASE_NAME
        path.unlink()
        if how == "empty":
            path.touch()
        elif how == "without tables":
            with contextlib.closing(sqlite3.connect(path)) as database:
                database.execute("VACUUM")
                database.execute("PRAGMA journal_mode=WAL")
        with pytest.raises(DamagedData, match="obverse restore") as told:
            Catalogue(filled)
        assert beside.split("/")[0] in str(told.value)
        assert (filled / beside).read_bytes() == b"something"
        (filled / beside).unlink()
        with contextlib.closing(Catalogue(filled)) as fresh:
            assert fresh.counts() == {}

    def test_a_log_without_its_file(self, filled: Path) -> None:
        """SQLite would throw it away, and with it all that it holds."""
        with contextlib.closing(Catalogue(filled)) as catalogue:
            catalogue.add_channel("late")
            left = filled.with_name("left")
            shutil.copytree(filled, left)
        (left / DATABASE_NAME).unlink()
        with pytest.raises(DamagedData, match=f"{DATABASE_NAME}-wal"):
            Catalogue(left)

    def test_a_fresh_folder(self, tmp_path: Path) -> None:
        """A lock, a note of a server, and what is none of ours do not matter."""
        for name in ("lock", "server.json", "notes.txt"):
            (tmp_path / name).write_text("")
        (tmp_path / "index").mkdir()
        Catalogue(tmp_path).close()


class TestUpgrades:
    @pytest.fixture
    def later(self, tmp_path: Path) -> Path:
        """The migrations with one more step, in a folder whose name a configuration file would read otherwise."""
        folder = tmp_path / "100%(here)s"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / "0099_note.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\nrevision = 'engine0099'\n"
            f"down_revision = '{newest_revision()}'\n"
            "def upgrade():\n    op.add_column('picture', sa.Column('note', sa.Text))\n"
        )
        return folder

    def test_two_at_once(self, filled: Path, later: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second waits for the first and then finds nothing to do: the copy stays that of the old form."""
        waits = threading.Event()
        both = [Catalogue(filled), Catalogue(filled)]
        second = threading.Thread(
            target=upgrade.upgrade_schema, args=(both[1].database, later), kwargs={"version_table": "engine_version"}
        )

        def copy(source: Path, target: Path) -> None:
            assert not second.is_alive(), "copied twice"
            second.start()
            assert waits.wait(60)
            copy_database(source, target)

        def asks_to_write(database: sa.Engine) -> Any:
            if threading.current_thread() is second:
                waits.set()
            return writing(database)

        monkeypatch.setattr(upgrade, "copy_database", copy)
        monkeypatch.setattr(upgrade, "writing", asks_to_write)
        upgrade.upgrade_schema(both[0].database, later, version_table="engine_version")
        second.join()
        with contextlib.closing(sqlite3.connect(filled / "catalogue-before-engine0099.db")) as old:
            assert "note" not in [row[1] for row in old.execute("PRAGMA table_info(picture)")]
        with contextlib.closing(other(filled)) as new:
            assert "note" in [row[1] for row in new.execute("PRAGMA table_info(picture)")]
        assert list(filled.glob("*.part")) == []
        for catalogue in both:
            catalogue.close()

    def test_a_failed_copy(self, filled: Path, later: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the copy there is no upgrade."""

        def full(_source: Path, _target: Path) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"  # type: ignore[misc]
            raise error

        monkeypatch.setattr(upgrade, "copy_database", full)
        with contextlib.closing(Catalogue(filled)) as catalogue:
            with pytest.raises(StorageFull):
                upgrade.upgrade_schema(catalogue.database, later, version_table="engine_version")
            assert identifiers(catalogue) == ["abc"]
        assert not (filled / "catalogue-before-engine0099.db").exists()

    def test_a_newer_form(self, filled: Path) -> None:
        """A gallery of a newer Obverse is refused in a sentence, and left alone."""
        with contextlib.closing(other(filled)) as database:
            database.execute("UPDATE engine_version SET version_num = 'engine0999'")
        with pytest.raises(OtherForm, match=r"engine0999.*install a newer one"):
            Catalogue(filled)
        assert list(filled.glob("catalogue-before-*")) == []


def newest_revision() -> str:
    return "engine" + max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))[:4]


def test_seconds_are_told() -> None:
    """The sentence and the setting agree."""
    assert str(transactions.BUSY_SECONDS) in str(StorageBusy("x", transactions.BUSY_SECONDS))
