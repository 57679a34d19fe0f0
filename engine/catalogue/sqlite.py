"""Opening the catalogue's database: one place for its settings and for schema upgrades."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import sqlalchemy as sa

DATABASE_NAME = "catalogue.db"
PAGE_SIZE = 8192
"""Bytes. Measured with 1,500 pictures of 6.9 KB of features and a JPEG of 20-60 KB: pages of 4, 8, 16, 32 KB waste 1.9,
3.1, 4.6 and 8.4 KB a picture; an addition takes 2.0, 2.0, 1.5 and 1.4 ms, eight JPEGs 1.5, 1.6, 1.3 and 1.5 ms."""


def open_database(folder: Path) -> sa.Engine:
    """A SQLAlchemy engine on the folder's SQLite file: write-ahead log, synchronous=FULL, foreign keys.

    Every transaction begins IMMEDIATE or, for `reading`, deferred; writers wait for each other up to 30 s.
    """
    path = folder / DATABASE_NAME
    # An unexpected error's text goes to the log: without its parameters, which hold metadata and pictures.
    database = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": 30, "check_same_thread": False}, hide_parameters=True
    )

    @sa.event.listens_for(database, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's "begin" event below opens transactions
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA page_size={PAGE_SIZE}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.close()

    @sa.event.listens_for(database, "begin")
    def _begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("transaction_mode", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return database


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy while others read and write (SQLite's online backup)."""
    with contextlib.closing(sqlite3.connect(source)) as a, contextlib.closing(sqlite3.connect(target)) as b:
        a.backup(b)
