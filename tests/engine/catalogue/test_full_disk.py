"""A disk that is full."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa

from engine.catalogue import Catalogue, StoredFeatures
from engine.errors import (
    StorageFull,
)
from tests.support.made_catalogue import FACTS, add, identifiers, whole


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
