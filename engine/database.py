"""Opening the catalogue's database: one place for its settings and for schema upgrades."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import alembic.migration
import alembic.script
import sqlalchemy as sa

from engine.errors import DamagedData, StorageFull

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


@contextlib.contextmanager
def writing(database: sa.Engine) -> Iterator[sa.Connection]:
    """One durable write transaction: committed when the block ends, rolled back when it raises.

    Raises StorageFull when the disk is full and DamagedData when the file is no database.
    """
    with translated_errors(database), database.connect() as plain:
        connection = plain.execution_options(transaction_mode="IMMEDIATE")
        with connection.begin():
            yield connection


@contextlib.contextmanager
def reading(database: sa.Engine) -> Iterator[sa.Connection]:
    """One consistent view of the catalogue."""
    with translated_errors(database), database.connect() as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def translated_errors(database: sa.Engine) -> Iterator[None]:
    """SQLite's own failures as ours."""
    try:
        yield
    except sa.exc.OperationalError as error:
        if "disk is full" in str(error.orig):
            raise StorageFull(str(database.url.database)) from error
        raise
    except sa.exc.DatabaseError as error:
        text = str(error.orig)
        if "malformed" in text or "not a database" in text:
            raise DamagedData(f"{database.url.database}: {text}; restore a backup") from error
        raise


def upgrade_schema(database: sa.Engine, scripts: Path, *, version_table: str) -> None:
    """Brings the tables that `scripts` (a folder of Alembic migrations) describes to their newest form.

    Where there is an older form already, the file is copied to `catalogue-before-REVISION.db` first.
    """
    config = alembic.config.Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["version_table"] = version_table
    newest = alembic.script.ScriptDirectory.from_config(config).get_current_head()
    with translated_errors(database), database.connect() as connection:
        context = alembic.migration.MigrationContext.configure(connection, opts={"version_table": version_table})
        current = context.get_current_revision()
        connection.rollback()
        if current == newest:
            return
        if current is not None:
            path = Path(str(database.url.database))
            copy_database(path, path.with_name(f"catalogue-before-{newest}.db"))
        config.attributes["connection"] = connection.execution_options(transaction_mode="IMMEDIATE")
        alembic.command.upgrade(config, "head")


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy while others read and write (SQLite's online backup)."""
    with contextlib.closing(sqlite3.connect(source)) as a, contextlib.closing(sqlite3.connect(target)) as b:
        a.backup(b)


def run_migrations(config: Any) -> None:
    """What each `env.py` of Alembic calls: runs the scripts on the connection that `upgrade_schema` opened."""
    from alembic import context

    context.configure(
        connection=config.attributes["connection"],
        version_table=config.attributes["version_table"],
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
