"""The database's file: durable, small, copied while it is written, refused when it is damaged."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.catalogue import Catalogue, StoredFeatures
from engine.catalogue.sqlite import DATABASE_NAME, copy_database, open_database
from engine.errors import (
    DamagedData,
)
from tests.support.made_catalogue import FACTS, add, whole


def pages(catalogue: Catalogue) -> int:
    """Bytes of the database."""
    with catalogue.database.connect() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar()) * int(
            connection.exec_driver_sql("PRAGMA page_size").scalar()
        )


class TestMeta:
    def test_meta(self, catalogue: Catalogue) -> None:
        """Facts of the gallery are written, replaced and read."""
        assert catalogue.read_meta("fingerprint") is None
        catalogue.write_meta("fingerprint", "a")
        catalogue.write_meta("fingerprint", "b")
        assert catalogue.read_meta("fingerprint") == "b"


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
