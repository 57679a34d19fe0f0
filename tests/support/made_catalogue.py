"""A catalogue of pictures that were never described, and what must hold of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from engine.catalogue import Catalogue, Picture, StoredFeatures
from engine.catalogue.sqlite import DATABASE_NAME

FEATURES = StoredFeatures(keypoints=b"k" * 16, vector=b"v" * 8, jpeg=b"jpeg", orb=b"orb")
FACTS: dict[str, Any] = {"level": 3, "size": (360, 480), "keypoints": 1}


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
