"""The catalogue: channels, pictures, the log, and what happens to them when things go wrong."""

from __future__ import annotations

import contextlib
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

from engine.catalogue import Catalogue, Change, Picture, StoredFeatures
from engine.catalogue.catalogue import MIGRATIONS
from engine.catalogue.sqlite import DATABASE_NAME, copy_database, open_database
from engine.catalogue.upgrade import upgrade_schema
from engine.errors import (
    ChannelExists,
    ChannelNotFound,
    DamagedData,
    IdentifierTaken,
    PictureNotFound,
    QuotaExceeded,
    StorageFull,
)

FEATURES = StoredFeatures(keypoints=b"k" * 16, vector=b"v" * 8, jpeg=b"jpeg", orb=b"orb")
FACTS: dict[str, Any] = {"level": 3, "size": (360, 480), "keypoints": 1}


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(tmp_path / "data")
    made.add_channel("one")
    yield made
    made.close()


def add(catalogue: Catalogue, identifier: str, channel: str = "one", **more: Any) -> Picture:
    return catalogue.add_picture(channel, identifier, FEATURES, **{**FACTS, **more})


def identifiers(catalogue: Catalogue, channel: str = "one") -> list[str]:
    return [p.identifier for p in catalogue.pictures(channel)]


def state(catalogue: Catalogue) -> tuple[Any, ...]:
    """All that a failed change must leave as it was."""
    ids = [p.id for p in catalogue.all_pictures()]
    return catalogue.counts(), catalogue.changes(after=0), catalogue.pictures_by_id(ids), catalogue.features(ids)


def whole(folder: Path) -> bool:
    """SQLite's own check of the file, and no row without its picture."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        fine = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        bare = connection.execute("SELECT count(*) FROM picture WHERE id NOT IN (SELECT picture_id FROM feature)")
        return fine and not orphans and bare.fetchone()[0] == 0


class TestChannels:
    def test_added(self, catalogue: Catalogue) -> None:
        """A channel has its name, owner and quota, and no pictures."""
        made = catalogue.add_channel("two", owner=7, quota=5)
        assert catalogue.channel("two") == made
        assert (made.name, made.owner, made.quota) == ("two", 7, 5)
        assert catalogue.counts() == {"one": 0, "two": 0}

    def test_names_are_unique(self, catalogue: Catalogue) -> None:
        """A name is taken once; case makes a difference."""
        with pytest.raises(ChannelExists):
            catalogue.add_channel("one")
        catalogue.add_channel("One")
        assert [c.name for c in catalogue.channels()] == ["One", "one"]

    def test_by_owner(self, catalogue: Catalogue) -> None:
        """Each owner sees the own channels."""
        catalogue.add_channel("mine", owner=1)
        catalogue.add_channel("theirs", owner=2)
        assert [c.name for c in catalogue.channels(owner=1)] == ["mine"]

    def test_update(self, catalogue: Catalogue) -> None:
        """Owner and quota may change; a channel that is not there is told."""
        assert catalogue.update_channel("one", owner=3, quota=9).owner == 3
        assert catalogue.channel("one").quota == 9
        with pytest.raises(ChannelNotFound):
            catalogue.update_channel("none", owner=1, quota=1)

    def test_removed_with_its_pictures(self, catalogue: Catalogue) -> None:
        """Its pictures go with it, each in the log; others stay."""
        catalogue.add_channel("two")
        kept = add(catalogue, "kept", "two")
        gone = [add(catalogue, f"gone.{n}") for n in range(3)]
        assert catalogue.remove_channel("one") == 3
        assert [p.id for p in catalogue.all_pictures()] == [kept.id]
        removed = [c.picture_id for c in catalogue.changes(after=0) if c.kind == "remove"]
        assert removed == [p.id for p in gone]
        assert catalogue.features([p.id for p in gone]) == []
        assert catalogue.rendition(gone[0].id) is None
        with pytest.raises(ChannelNotFound):
            catalogue.channel("one")

    def test_numbers_are_never_used_again(self, catalogue: Catalogue) -> None:
        """A channel made anew under an old name is another one."""
        before = catalogue.channel("one").id
        catalogue.remove_channel("one")
        assert catalogue.add_channel("one").id > before

    @pytest.mark.parametrize(
        "call",
        [
            lambda c: c.channel("none"),
            lambda c: c.remove_channel("none"),
            lambda c: add(c, "abc", "none"),
            lambda c: c.remove_picture("none", "abc"),
            lambda c: c.update_picture("none", "abc", metadata=""),
            lambda c: c.picture("none", "abc"),
            lambda c: c.pictures("none"),
            lambda c: c.count("none"),
            lambda c: c.check_room("none", "abc"),
        ],
    )
    def test_unknown(self, catalogue: Catalogue, call: Any) -> None:
        """Whatever is asked of a channel that is not there: ChannelNotFound, with its name."""
        before = state(catalogue)
        with pytest.raises(ChannelNotFound) as caught:
            call(catalogue)
        assert caught.value.channel == "none"
        assert state(catalogue) == before


class TestPictures:
    def test_added(self, catalogue: Catalogue) -> None:
        """What was given is stored, with features, rendition and one entry in the log."""
        made = add(catalogue, "abc", metadata="m\n✓", threshold=61.5, active=False, facts={"a": [1, None]})
        assert catalogue.picture("one", "abc") == made
        assert (made.identifier, made.channel, made.metadata, made.threshold) == ("abc", "one", "m\n✓", 61.5)
        assert (made.active, made.facts, made.level, made.width, made.height) == (False, {"a": [1, None]}, 3, 360, 480)
        assert made.added_at == made.updated_at > 1.7e9
        channel = catalogue.channel("one").id
        assert catalogue.features([made.id]) == [(made.id, channel, False, b"k" * 16, b"v" * 8)]
        assert catalogue.rendition(made.id) == b"jpeg"
        assert catalogue.orb_bits([made.id]) == {made.id: b"orb"}
        assert catalogue.changes(after=0) == [Change(1, made.id, channel, "add")]
        assert catalogue.picture_by_uuid(made.uuid) == made

    def test_identifiers_are_unique_in_their_channel(self, catalogue: Catalogue) -> None:
        """An identifier is taken once in a channel, and free in another."""
        add(catalogue, "abc")
        before = state(catalogue)
        with pytest.raises(IdentifierTaken) as caught:
            add(catalogue, "abc")
        assert (caught.value.channel, caught.value.identifier) == ("one", "abc")
        assert state(catalogue) == before
        catalogue.add_channel("two")
        add(catalogue, "abc", "two")

    def test_numbers_are_never_used_again(self, catalogue: Catalogue) -> None:
        """The number of a removed picture stays unused, and so does its place in the log."""
        first = add(catalogue, "abc")
        catalogue.remove_picture("one", "abc")
        second = add(catalogue, "abc")
        assert second.id > first.id
        assert second.uuid != first.uuid
        assert [(c.seq, c.picture_id, c.kind) for c in catalogue.changes(after=0)] == [
            (1, first.id, "add"),
            (2, first.id, "remove"),
            (3, second.id, "add"),
        ]

    def test_removed(self, catalogue: Catalogue) -> None:
        """All of a picture goes at once; removing it again removes nothing."""
        gone = add(catalogue, "abc")
        assert catalogue.remove_picture("one", "abc") is True
        assert catalogue.remove_picture("one", "abc") is False
        assert catalogue.features([gone.id]) == []
        assert catalogue.rendition(gone.id) is None
        assert catalogue.renditions([gone.id]) == {}
        assert catalogue.picture_by_uuid(gone.uuid) is None
        assert catalogue.last_seq() == 2
        with pytest.raises(PictureNotFound):
            catalogue.picture("one", "abc")

    def test_quota(self, catalogue: Catalogue) -> None:
        """A channel takes as many as its quota says, and more after a removal."""
        catalogue.update_channel("one", owner=None, quota=2)
        add(catalogue, "a")
        add(catalogue, "b")
        before = state(catalogue)
        for call in (lambda: add(catalogue, "c"), lambda: catalogue.check_room("one", "c")):
            with pytest.raises(QuotaExceeded) as caught:
                call()
            assert (caught.value.channel, caught.value.quota) == ("one", 2)
        assert state(catalogue) == before
        catalogue.remove_picture("one", "a")
        add(catalogue, "c")

    def test_a_quota_of_nothing(self, catalogue: Catalogue) -> None:
        """A quota of 0 takes nothing, and is not "no quota"."""
        catalogue.update_channel("one", owner=None, quota=0)
        with pytest.raises(QuotaExceeded):
            add(catalogue, "abc")

    def test_all_or_nothing(self, catalogue: Catalogue) -> None:
        """Where a part of a picture cannot be stored, none of it is."""
        add(catalogue, "abc")
        before = state(catalogue)
        broken = StoredFeatures(keypoints=b"", vector=None)  # type: ignore[arg-type]
        with pytest.raises(sa.exc.IntegrityError):
            catalogue.add_picture("one", "xyz", broken, **FACTS)
        assert state(catalogue) == before
        assert whole(catalogue.folder)


class TestUpdate:
    @pytest.mark.parametrize(
        "changes",
        [{"metadata": "new"}, {"threshold": 12.5}, {"threshold": None}, {"active": False}, {"facts": {"x": 1}}],
        ids=str,
    )
    def test_only_what_is_given(self, catalogue: Catalogue, changes: dict[str, Any]) -> None:
        """What is given changes, the rest stays, and the log says so."""
        before = add(catalogue, "abc", metadata="old", threshold=50.0, facts={"y": 2})
        after = catalogue.update_picture("one", "abc", **changes)
        assert after == catalogue.picture("one", "abc")
        assert vars(after) == {**vars(before), **changes, "updated_at": after.updated_at}
        assert after.updated_at >= before.updated_at
        assert [c.kind for c in catalogue.changes(after=0)] == ["add", "update"]

    def test_identifier(self, catalogue: Catalogue) -> None:
        """A picture may be renamed, but not to a name that is taken."""
        number = add(catalogue, "abc").id
        add(catalogue, "taken")
        assert catalogue.update_picture("one", "abc", identifier="xyz").id == number
        before = state(catalogue)
        with pytest.raises(IdentifierTaken) as caught:
            catalogue.update_picture("one", "xyz", identifier="taken")
        assert caught.value.identifier == "taken"
        assert state(catalogue) == before

    def test_unknown(self, catalogue: Catalogue) -> None:
        """A picture that is not there cannot change."""
        with pytest.raises(PictureNotFound):
            catalogue.update_picture("one", "abc", metadata="")
        assert catalogue.last_seq() == 0

    def test_features(self, catalogue: Catalogue) -> None:
        """New features replace the old ones; the picture and its rendition stay."""
        made = add(catalogue, "abc")
        catalogue.replace_features(made.id, StoredFeatures(keypoints=b"K" * 32, vector=b"V" * 8), level=5, keypoints=2)
        assert catalogue.features([made.id])[0][3:] == (b"K" * 32, b"V" * 8)
        assert catalogue.rendition(made.id) == b"jpeg"
        after = catalogue.picture("one", "abc")
        assert (after.level, after.keypoints, after.id, after.uuid) == (5, 2, made.id, made.uuid)


class TestListing:
    NAMES = ("b", "a", "Z", "_", "a.1", "a@", "10", "9", "B", "é", "z", "ab")

    def test_order_of_code_points(self, catalogue: Catalogue) -> None:
        """Pages go by code point, whatever the order of addition: 10, 9, B, Z, _, a, a.1, …"""
        for name in self.NAMES:
            add(catalogue, name)
        assert identifiers(catalogue) == sorted(self.NAMES)

    @pytest.mark.parametrize("limit", [1, 5, 12, 100])
    def test_pages(self, catalogue: Catalogue, limit: int) -> None:
        """Pages of any size together are the list."""
        for name in self.NAMES:
            add(catalogue, name)
        pages = [catalogue.pictures("one", offset=o, limit=limit) for o in range(0, len(self.NAMES), limit)]
        assert [p.identifier for page in pages for p in page] == sorted(self.NAMES)
        assert all(len(page) <= limit for page in pages)
        assert catalogue.pictures("one", offset=12) == []

    def test_only_this_channel(self, catalogue: Catalogue) -> None:
        """Other channels' pictures are not listed."""
        catalogue.add_channel("two")
        add(catalogue, "here")
        add(catalogue, "there", "two")
        assert identifiers(catalogue) == ["here"]
        assert (catalogue.count("one"), catalogue.counts()) == (1, {"one": 1, "two": 1})

    def test_all_pictures(self, catalogue: Catalogue) -> None:
        """All pictures come by number, in batches, though some go meanwhile."""
        made = [add(catalogue, f"p.{n}") for n in range(7)]
        walk = catalogue.all_pictures(batch=3)
        first = next(walk)
        catalogue.remove_picture("one", "p.5")
        assert [first.id, *(p.id for p in walk)] == [p.id for p in made if p.identifier != "p.5"]

    def test_nothing(self, catalogue: Catalogue) -> None:
        """An empty catalogue answers emptily."""
        assert (catalogue.pictures("one"), catalogue.count("one"), catalogue.last_seq()) == ([], 0, 0)
        assert (list(catalogue.all_pictures()), catalogue.features([]), catalogue.pictures_by_id([])) == ([], [], {})


class TestLog:
    def test_after_and_limit(self, catalogue: Catalogue) -> None:
        """The log is read on from any place, in parts of any size."""
        for n in range(6):
            add(catalogue, f"p.{n}")
        assert [c.seq for c in catalogue.changes(after=2)] == [3, 4, 5, 6]
        assert [c.seq for c in catalogue.changes(after=2, limit=2)] == [3, 4]
        assert catalogue.changes(after=6) == []

    def test_meta(self, catalogue: Catalogue) -> None:
        """Facts of the gallery are written, replaced and read."""
        assert catalogue.read_meta("fingerprint") is None
        catalogue.write_meta("fingerprint", "a")
        catalogue.write_meta("fingerprint", "b")
        assert catalogue.read_meta("fingerprint") == "b"


WRITER = """
import sys
from pathlib import Path
from engine.catalogue import Catalogue, StoredFeatures
from engine.errors import IdentifierTaken
catalogue = Catalogue(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
won = 0
for n in range(60):
    features = StoredFeatures(keypoints=b"k" * 6400, vector=b"v" * 512, jpeg=b"j" * 20000)
    for name in (f"{sys.argv[2]}.{n}", f"both.{n}"):
        try:
            catalogue.add_picture("one", name, features, level=1, size=(1, 1), keypoints=400)
            won += name.startswith("both")
        except IdentifierTaken:
            pass
print(won, flush=True)
catalogue.close()
"""


class TestSeveralWriters:
    def test_two_processes(self, catalogue: Catalogue) -> None:
        """Two processes that write at once lose nothing, and a name goes to one of them."""
        command = [sys.executable, "-c", WRITER, str(catalogue.folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(subprocess.Popen([*command, name], **pipes)) for name in "ab"]
            assert [w.stdout.readline() for w in writers] == ["ready\n"] * 2
            for writer in writers:
                writer.stdin.write("go\n")
                writer.stdin.flush()
            won = [int(w.stdout.readline()) for w in writers]
        assert [w.returncode for w in writers] == [0, 0]
        assert sum(won) == 60
        assert catalogue.count("one") == 180
        changes = catalogue.changes(after=0)
        assert [c.seq for c in changes] == list(range(1, 181))
        assert [c.picture_id for c in changes] == sorted({c.picture_id for c in changes})
        assert whole(catalogue.folder)

    def test_many_threads(self, catalogue: Catalogue) -> None:
        """Eight threads of one process likewise."""
        threads = [
            threading.Thread(target=lambda k=k: [add(catalogue, f"p.{k}.{n}") for n in range(10)]) for k in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert catalogue.count("one") == 80
        assert len(catalogue.changes(after=0)) == 80

    def test_a_reader_sees_one_state(self, catalogue: Catalogue) -> None:
        """A second catalogue on the folder sees what the first committed."""
        other = Catalogue(catalogue.folder)
        made = add(catalogue, "abc")
        assert other.picture("one", "abc") == made
        other.remove_picture("one", "abc")
        assert identifiers(catalogue) == []
        other.close()


def fill_up(catalogue: Catalogue, pages: int) -> None:
    """From now on the database may grow by `pages` pages only."""
    catalogue.database.dispose()

    @sa.event.listens_for(catalogue.database, "connect")
    def _limit(connection: sqlite3.Connection, _record: object) -> None:
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        limit = catalogue.__dict__.setdefault("page_limit", used + pages)
        connection.execute(f"PRAGMA max_page_count={limit}")


class TestFullDisk:
    def test_nothing_changes(self, catalogue: Catalogue) -> None:
        """A full disk is StorageFull, nothing of the change is stored, and what there was can be read and
        removed."""
        add(catalogue, "abc")
        fill_up(catalogue, pages=8)
        large = StoredFeatures(keypoints=b"k" * 6400, vector=b"v" * 512, jpeg=b"j" * 40_000)
        added = 0

        def add_many() -> None:
            nonlocal added
            for added in range(100):
                catalogue.add_picture("one", f"large.{added}", large, **FACTS)

        with pytest.raises(StorageFull) as caught:
            add_many()
        assert str(catalogue.folder) in str(caught.value)
        assert catalogue.count("one") == added + 1
        assert len(catalogue.changes(after=0)) == added + 1
        assert whole(catalogue.folder)
        assert catalogue.rendition(catalogue.picture("one", "abc").id) == b"jpeg"
        assert catalogue.remove_picture("one", "abc")

    def test_room_again(self, catalogue: Catalogue) -> None:
        """When there is room again, work goes on."""
        fill_up(catalogue, pages=4)
        large = StoredFeatures(keypoints=b"k" * 6400, vector=b"v" * 512, jpeg=b"j" * 200_000)
        with pytest.raises(StorageFull):
            catalogue.add_picture("one", "large", large, **FACTS)
        catalogue.__dict__["page_limit"] = 10_000
        catalogue.database.dispose()
        catalogue.add_picture("one", "large", large, **FACTS)
        assert identifiers(catalogue) == ["large"]


LATER = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "engine0003", "engine0002", None, None
def upgrade():
    op.add_column("picture", sa.Column("note", sa.Text))
    {more}
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations with one more step than there is."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0003_note.py").write_text(LATER.format(more="pass"))
    return folder


def columns(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(picture)")]


class TestSchema:
    def test_a_new_one_needs_no_copy(self, catalogue: Catalogue) -> None:
        """The first opening makes the tables, and no copy of nothing."""
        assert list(catalogue.folder.glob("catalogue-before-*")) == []

    def test_opening_again_changes_nothing(self, catalogue: Catalogue) -> None:
        """A catalogue of today's form is left alone."""
        made = add(catalogue, "abc")
        again = Catalogue(catalogue.folder)
        assert again.picture("one", "abc") == made
        assert list(catalogue.folder.glob("catalogue-before-*")) == []
        again.close()

    def test_upgrade_after_a_copy(self, catalogue: Catalogue, later: Path) -> None:
        """An older form is copied, then brought to the newest; nothing is lost on either side."""
        made = add(catalogue, "abc")
        upgrade_schema(catalogue.database, later, version_table="engine_version")
        assert catalogue.picture("one", "abc") == made
        assert "note" in columns(catalogue.folder / DATABASE_NAME)
        copy = catalogue.folder / "catalogue-before-engine0003.db"
        assert "note" not in columns(copy)
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("SELECT identifier FROM picture").fetchall() == [("abc",)]

    def test_a_failed_upgrade(self, catalogue: Catalogue, later: Path) -> None:
        """A step that fails half way leaves the old form."""
        (later / "versions" / "0003_note.py").write_text(LATER.format(more="op.execute('SELECT * FROM nowhere')"))
        made = add(catalogue, "abc")
        with pytest.raises(sa.exc.OperationalError):
            upgrade_schema(catalogue.database, later, version_table="engine_version")
        catalogue.close()
        again = Catalogue(catalogue.folder)
        assert again.picture("one", "abc") == made
        assert "note" not in columns(again.folder / DATABASE_NAME)
        again.close()


class TestFile:
    def test_durable_settings(self, catalogue: Catalogue) -> None:
        """Acknowledged means durable: a write-ahead log that is forced to the disk at every commit."""
        with catalogue.database.connect() as connection:
            found = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous")]
        assert found == ["wal", 2]

    @pytest.mark.parametrize(
        "content", [b"this is no database, though it is long enough " * 100, b"SQLite format 3\0" * 90]
    )
    def test_damaged(self, tmp_path: Path, content: bytes) -> None:
        """A file that is no database is DamagedData with advice, and is left as it is."""
        (tmp_path / DATABASE_NAME).write_bytes(content)
        with pytest.raises(DamagedData, match="restore a backup"):
            Catalogue(tmp_path)
        assert (tmp_path / DATABASE_NAME).read_bytes() == content

    def test_copy_while_writing(self, catalogue: Catalogue, tmp_path: Path) -> None:
        """A copy made while another thread writes is whole."""
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                add(catalogue, f"p.{number}")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for n in range(3):
                (tmp_path / f"copy{n}").mkdir()
                copy_database(catalogue.folder / DATABASE_NAME, tmp_path / f"copy{n}" / DATABASE_NAME)
                assert whole(tmp_path / f"copy{n}")
        finally:
            stop.set()
            writer.join()

    def test_small(self, catalogue: Catalogue) -> None:
        """A picture of usual size takes little more than its bytes."""
        database = open_database(catalogue.folder)
        database.dispose()
        usual = StoredFeatures(keypoints=b"k" * 6400, vector=b"v" * 512)
        before = pages(catalogue)
        for n in range(100):
            catalogue.add_picture("one", f"p.{n}", usual, **FACTS)
        assert (pages(catalogue) - before) / 100 <= 12 * 1024


def pages(catalogue: Catalogue) -> int:
    """Bytes of the database."""
    with catalogue.database.connect() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar()) * int(
            connection.exec_driver_sql("PRAGMA page_size").scalar()
        )
