"""Transactions on the catalogue's database, and its failures as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from engine.errors import DamagedData, StorageFull


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
