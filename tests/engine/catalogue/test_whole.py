"""A catalogue that was cut is told, wherever the cut lies; one that is being written is not taken for cut."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from engine.catalogue import Catalogue
from engine.catalogue.sqlite import DATABASE_NAME, PAGE_SIZE
from engine.catalogue.whole import check_whole
from engine.errors import DamagedData


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A catalogue's file, all of it checkpointed."""
    catalogue = Catalogue(tmp_path / "data")
    catalogue.add_channel("books")
    catalogue.close()
    return tmp_path / "data" / DATABASE_NAME


def test_cut_anywhere(closed: Path) -> None:
    """Between pages and within one; what is left of a header is SQLite's to judge."""
    content = closed.read_bytes()
    check_whole(closed)
    for size in (len(content) - 1, len(content) - PAGE_SIZE, len(content) - PAGE_SIZE // 2, PAGE_SIZE, 100):
        closed.write_bytes(content[:size])
        with pytest.raises(DamagedData, match="pages are missing; restore a backup"):
            Catalogue(closed.parent)
        assert closed.stat().st_size == size
    for size in (99, 0):
        closed.write_bytes(content[:size])
        check_whole(closed)
    closed.unlink()
    check_whole(closed)


def test_a_header_that_lies(tmp_path: Path) -> None:
    """Billions of pages are counted as missing, not listed; a size of pages that none has is left to SQLite."""
    path = tmp_path / DATABASE_NAME
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 200)
    check_whole(path)
    path.write_bytes(b"SQLite format 3\0" + (4096).to_bytes(2, "big") + b"\xff" * 200)
    with pytest.raises(DamagedData, match="4294967295 of its 4294967295 pages are missing"):
        check_whole(path)
    path.write_bytes(b"SQLite format 3\0" + b"\0" * 200)
    check_whole(path)


def test_pages_that_are_in_the_log(closed: Path, tmp_path: Path) -> None:
    """The header may count pages that only the write-ahead log holds: a checkpoint was under way, and is done again."""
    connection = sqlite3.connect(closed)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE more (text)")
    connection.executemany("INSERT INTO more VALUES (?)", [("x" * 5_000,)] * 20)
    connection.commit()
    log = closed.with_name(f"{DATABASE_NAME}-wal").read_bytes()
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    content = closed.read_bytes()
    connection.close()
    for keep in (len(content) - PAGE_SIZE, len(content) - 3 * PAGE_SIZE):
        folder = tmp_path / str(keep)
        folder.mkdir()
        (folder / DATABASE_NAME).write_bytes(content[:keep])
        (folder / f"{DATABASE_NAME}-wal").write_bytes(log)
        check_whole(folder / DATABASE_NAME)
        copy = shutil.copytree(folder, tmp_path / f"{keep} without the log")
        (copy / f"{DATABASE_NAME}-wal").unlink()
        with pytest.raises(DamagedData, match="pages are missing"):
            check_whole(copy / DATABASE_NAME)
        with sqlite3.connect(folder / DATABASE_NAME) as again:
            assert again.execute("SELECT count(*) FROM more").fetchone() == (20,)
        again.close()
