"""Transactions on the catalogue's database, and its failures as ours."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import sqlalchemy as sa

from engine.catalogue.sqlite import BUSY_SECONDS, is_read_only, is_replaced
from engine.errors import DamagedData, ReadOnlyData, StorageBusy, StorageError, StorageFailed, StorageFull


@contextlib.contextmanager
def writing(database: sa.Engine) -> Iterator[sa.Connection]:
    """One durable write transaction: committed when the block ends, rolled back when it raises.

    Raises the StorageErrors: StorageFull, StorageBusy, ReadOnlyData, StorageFailed, DamagedData. StorageFailed also
    where the gallery was restored since it was opened: what is written to the file of before is lost.
    """
    if is_read_only(database):
        raise ReadOnlyData(str(database.url.database))
    with translated_errors(database), database.connect() as plain:
        connection = plain.execution_options(transaction_mode="IMMEDIATE")
        with connection.begin():
            _check_not_replaced(database)
            yield connection
        # And after the commit: what was committed to a file that was replaced meanwhile is not acknowledged.
        _check_not_replaced(database)


def _check_not_replaced(database: sa.Engine) -> None:
    if is_replaced(database):
        raise changed_meanwhile(database)


def changed_meanwhile(database: sa.Engine) -> StorageFailed:
    """Of a change through an opening from before a restore or a `reindex`."""
    return StorageFailed(
        str(database.url.database), "the gallery was restored, or described again, meanwhile; open it anew"
    )


@contextlib.contextmanager
def reading(database: sa.Engine) -> Iterator[sa.Connection]:
    """One consistent view of the catalogue. Raises the StorageErrors."""
    with translated_errors(database), database.connect() as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def translated_errors(database: sa.Engine) -> Iterator[None]:
    """SQLite's own failures as ours. What is wrong with a statement, a broken rule of a table, is left alone."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        if (ours := storage_error(cause, str(database.url.database))) is None:
            raise
        raise ours from error


def storage_error(error: BaseException | None, path: str) -> StorageError | None:
    """One sentence about an error of SQLite's; None where it is not about the storage. path: of the database."""
    kind = (getattr(error, "sqlite_errorname", None) or "").split("_")
    match kind[1] if len(kind) > 1 else "":
        case "FULL":
            return StorageFull(path)
        case "BUSY" | "LOCKED" | "PROTOCOL":
            return StorageBusy(path, BUSY_SECONDS)
        case "READONLY":
            return ReadOnlyData(path)
        case "CORRUPT" | "NOTADB" | "FORMAT":
            return DamagedData(f"{path}: {error}; restore a backup")
        case "IOERR":
            return StorageFailed(path, f"{error}; look at the disk and at the system's log")
        case "CANTOPEN" | "PERM" | "AUTH" | "NOLFS":
            return StorageFailed(path, f"{error}; look at the permissions of folder and files")
    return None
