"""An empty catalogue, and an index that follows it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.catalogue import Catalogue
from engine.describe.vocabulary import Vocabulary
from engine.index.embedded import EmbeddedIndex
from tests.support.made_index import SETTINGS


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """An empty one that does not wait for the disk, on which an addition spends three quarters of its time: whether
    what it acknowledges is durable is tested in tests/engine/catalogue."""
    opened = Catalogue(tmp_path / "data")

    @sa.event.listens_for(opened.database, "connect")
    def _do_not_wait(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    opened.database.dispose()
    yield opened
    opened.close()


@pytest.fixture
def index(catalogue: Catalogue, vocabulary: Vocabulary) -> Iterator[EmbeddedIndex]:
    """An empty one that follows it."""
    opened = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    yield opened
    opened.close()
