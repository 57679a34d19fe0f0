"""Opening the catalogue's database: one place for its settings, for folders that may only be read, and for copies."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from engine.errors import DamagedData, ReadOnlyData

DATABASE_NAME = "catalogue.db"
PAGE_SIZE = 8192
"""Bytes. Measured with 1,500 pictures of 6.9 KB of features and a JPEG of 20-60 KB: pages of 4, 8, 16, 32 KB waste 1.9,
3.1, 4.6 and 8.4 KB a picture; an addition takes 2.0, 2.0, 1.5 and 1.4 ms, eight JPEGs 1.5, 1.6, 1.3 and 1.5 ms."""
BUSY_SECONDS = 30
"""How long writers wait for each other."""
_MADE_AFTER_IT = ("index/*", "events.duckdb", "*.key", "catalogue-before-*.db")
"""Files of a gallery that are never there before its catalogue."""


def open_database(folder: Path, *, read_only: bool = False) -> sa.Engine:
    """A SQLAlchemy engine on the folder's SQLite file: write-ahead log, synchronous=FULL, foreign keys.

    Every transaction begins IMMEDIATE or, for `reading`, deferred; writers wait for each other up to BUSY_SECONDS.
    read_only: nothing is written through it, as where folder or files may only be read; `is_read_only` tells.
    """
    path = folder / DATABASE_NAME
    closed = not may_be_written(folder)
    if (read_only or closed) and not path.exists():
        raise ReadOnlyData(str(folder), "it holds no gallery, and none can be made")

    def connect() -> sqlite3.Connection:
        return _connect_to_read(path) if closed else _connect(path)

    # An unexpected error's text goes to the log: without its parameters, which hold metadata and pictures.
    database = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),  # as text its `?`, `%` and `#` would be read as a URL's
        creator=connect,
        hide_parameters=True,
        execution_options={"read_only": read_only or closed},
    )

    @sa.event.listens_for(database, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's "begin" event below opens transactions
        cursor = connection.cursor()
        if not closed:
            cursor.execute(f"PRAGMA page_size={PAGE_SIZE}")
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={1000 * BUSY_SECONDS}")
        cursor.execute(f"PRAGMA query_only={'ON' if read_only or closed else 'OFF'}")
        cursor.close()
        if "file" not in database.get_execution_options():
            at = path.absolute()
            database.update_execution_options(file=(at, _identity(at)))

    @sa.event.listens_for(database, "begin")
    def _begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("transaction_mode", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return database


def is_read_only(database: sa.Engine) -> bool:
    """Whether nothing can be written through it."""
    return bool(database.get_execution_options().get("read_only"))


def is_replaced(database: sa.Engine) -> bool:
    """Whether another file lies where the one that was opened was: a restore has put it there."""
    path, opened = database.get_execution_options()["file"]
    return bool(_identity(path) != opened)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode: what tells a file from another of its name. None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def may_be_written(folder: Path) -> bool:
    """Whether this user may change the gallery in a folder that exists. SQLite writes beside its file, too."""
    files = (folder / f"{DATABASE_NAME}{end}" for end in ("", "-wal", "-shm"))
    return os.access(folder, os.W_OK) and all(os.access(path, os.W_OK) for path in files if path.exists())


def check_not_lost(folder: Path, *, without_tables: bool = False) -> None:
    """Raises DamagedData where a gallery's other files lie without its catalogue: a new one would hide its loss, and
    the files would be taken for the new gallery's. without_tables: what is there has been seen to hold nothing."""
    # Looked for first: a gallery that another process makes at this moment has its catalogue before any of these.
    remains = sorted({path.relative_to(folder).parts[0] for name in _MADE_AFTER_IT for path in folder.glob(name)})
    path, log = folder / DATABASE_NAME, folder / f"{DATABASE_NAME}-wal"
    if not without_tables and log.exists() and log.stat().st_size:
        remains.append(log.name)
    missing = not path.exists()
    if remains and (missing or without_tables or not path.stat().st_size):
        raise DamagedData(
            f"{path} {'is not there' if missing else 'is empty'}, though {', '.join(remains)} of its gallery are: "
            "put the catalogue back, or a whole backup with `obverse restore`; to begin anew, move these away"
        )


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy while others read and write (SQLite's online backup). source: is never made."""
    with contextlib.closing(_source(source)) as a, contextlib.closing(sqlite3.connect(target)) as b:
        a.backup(b)


def _source(path: Path) -> sqlite3.Connection:
    if not may_be_written(path.parent):
        return _connect_to_read(path)
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that needs no right to write. Raises ReadOnlyData where the file cannot be read without it."""
    log = path.with_name(f"{path.name}-wal")
    address = f"{path.absolute().as_uri()}?mode=ro"
    if log.exists():
        # Another process may be at work, or has been stopped: with its shared memory file all can be read.
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if log.stat().st_size:
                raise ReadOnlyData(
                    str(path), f"changes wait in {log.name}; open the gallery once as a user who may write, then again"
                ) from error
    # SQLite then looks for no lock and no log: right for a file that nobody changes.
    return sqlite3.connect(f"{address}&immutable=1", uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
