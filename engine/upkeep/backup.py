"""Backups of a data folder: one .tar.gz with the catalogue, the keys, the statistics, and a manifest.

Indexes are derived and left out: a restored gallery builds them when it is opened. The catalogue is copied by
SQLite's online backup, so that a server may add and remove meanwhile. The statistics file belongs to the one
process that has it open: it is copied where no server holds the folder, and the report says so where not.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.catalogue.backed_up import note_backup
from engine.catalogue.catalogue import NOTE_NAME
from engine.catalogue.sqlite import DATABASE_NAME, check_not_lost, copy_database
from engine.catalogue.transactions import storage_error
from engine.catalogue.unfinished import check_restored
from engine.catalogue.whole import check_whole
from engine.errors import DamagedData, DataFolderLocked, FolderNotEmpty, ReadOnlyData, StorageFailed, StorageFull
from engine.index import snapshot
from engine.index.folder_lock import HOLDER, SERVER, FolderLock
from engine.upkeep import swap

STATISTICS = ("events.duckdb", "events.duckdb.wal")
_NOTE_OF_STATISTICS = "events.seq"
"""What the server notes beside its statistics: of no meaning beside others."""
_OF_NO_MEANING = (HOLDER, SERVER, swap.PREPARED)
"""What may lie in a folder that holds no gallery."""
_MANIFEST = "manifest.json"
_FORMAT = 1
_MANIFEST_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class BackupReport:
    """What a backup or a restore did."""

    files: dict[str, int]
    """Bytes by name."""
    left_out: tuple[str, ...] = ()
    """Names of statistics files that a running server holds."""


def backup(folder: Path, target: Path) -> BackupReport:
    """Writes `target`, which appears only when it is whole. Needs room for two copies of the catalogue beside
    it. Raises the StorageErrors: DamagedData, StorageFull, and StorageFailed where there is no gallery."""
    check_restored(folder)
    check_not_lost(folder)
    check_whole(folder / DATABASE_NAME)
    source = folder / DATABASE_NAME
    if not source.exists() or not source.stat().st_size:
        raise StorageFailed(str(folder), "it holds no gallery; nothing is backed up")
    with _full_disk_is_ours(target.parent), tempfile.TemporaryDirectory(dir=target.parent) as name:
        place = Path(name)
        try:
            copy_database(source, place / DATABASE_NAME)
        except sqlite3.DatabaseError as error:
            ours = storage_error(error, str(source))
            # It is the copy that finds no room: the source is only read.
            raise (StorageFull(str(target.parent)) if isinstance(ours, StorageFull) else ours or error) from error
        for key in folder.glob("*.key"):
            shutil.copy2(key, place / key.name)
        left_out = _copy_statistics(folder, place)
        files = {path.name: _facts(path) for path in sorted(place.iterdir())}
        manifest = {"format": _FORMAT, "made_at": time.time(), "files": files}
        part = place / "archive.part"
        with part.open("wb") as raw:
            # Level 1: renditions are JPEG already, the rest shrinks about as well as at 9.
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as archive:
                (place / _MANIFEST).write_text(json.dumps(manifest, indent=1))
                for member in (_MANIFEST, *files):
                    archive.add(place / member, member)
            raw.flush()
            os.fsync(raw.fileno())
        # The keys are in it: for its owner alone.
        part.chmod(0o600)
        part.replace(target)
    note_backup(folder)
    return BackupReport(files={name: facts["bytes"] for name, facts in files.items()}, left_out=left_out)


def restore(archive: Path, folder: Path, *, force: bool = False) -> BackupReport:
    """Brings back what `backup` wrote. Nothing in `folder` changes before the archive is proved whole; one that was cut
    short while it changed is refused by everybody until the next restore.

    force: replace the gallery that is there; statistics that the archive lacks stay.
    Raises FolderNotEmpty, DamagedData, DataFolderLocked, StorageFull.
    """
    force = force or swap.is_unfinished(folder)
    if not force and folder.exists() and any(path.name not in _OF_NO_MEANING for path in folder.iterdir()):
        raise FolderNotEmpty(str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    with _full_disk_is_ours(folder), contextlib.ExitStack() as stack:
        lock = FolderLock(folder)
        stack.callback(lock.release)
        stack.callback(swap.clean_up, folder)
        if swap.is_unfinished(folder):
            _finish(folder)
        place = swap.prepare(folder)
        files = _unpack(archive, place)
        _check_database(place / DATABASE_NAME)
        leaving = [*files, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm", NOTE_NAME]
        if any(name in files for name in STATISTICS):
            leaving += (*STATISTICS, _NOTE_OF_STATISTICS)
        swap.begin(folder, dict.fromkeys(leaving))
        _finish(folder)
    return BackupReport(files=files)


def _finish(folder: Path) -> None:
    snapshot.forget(folder)
    swap.finish(folder)


def _copy_statistics(folder: Path, place: Path) -> tuple[str, ...]:
    present = tuple(name for name in STATISTICS if (folder / name).exists())
    try:
        lock = FolderLock(folder)
    except (DataFolderLocked, ReadOnlyData):  # a server has them open, or may: who cannot write cannot ask for the lock
        return present
    try:
        for name in present:
            shutil.copy2(folder / name, place / name)
    finally:
        lock.release()
    return ()


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _unpack(archive: Path, place: Path) -> dict[str, int]:
    """The manifest's files, checked, in `place`; whatever else an archive may hold is refused."""
    try:
        with tarfile.open(archive, "r:gz") as packed:
            expected = _manifest(packed)
            found = {}
            while (member := packed.next()) is not None:
                if member.name not in expected or not member.isreg() or member.name in found:
                    raise DamagedData(f"{archive} holds {member.name!r}, which is not in its manifest")
                content = packed.extractfile(member)
                assert content is not None
                _write_checked(content, place / member.name, expected[member.name])
                found[member.name] = member.size
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError, TypeError) as error:
        raise DamagedData(f"{archive} is no whole backup: {error}") from error
    if missing := set(expected) - set(found) or {DATABASE_NAME} - set(expected):
        raise DamagedData(f"{archive} is no whole backup: it lacks {', '.join(sorted(missing))}")
    return found


def _manifest(packed: tarfile.TarFile) -> dict[str, dict[str, Any]]:
    """Name to size and digest. Raises ValueError, KeyError, TypeError where it is none of ours."""
    first = packed.next()
    if first is None or first.name != _MANIFEST or not first.isreg() or first.size > _MANIFEST_BYTES:
        raise ValueError("it does not begin with a manifest")
    content = packed.extractfile(first)
    assert content is not None
    manifest = json.loads(content.read())
    if manifest["format"] != _FORMAT:
        raise ValueError(f"format {manifest['format']!r}, this installation reads {_FORMAT}")
    allowed = (DATABASE_NAME, *STATISTICS)
    for name in manifest["files"]:
        if name not in allowed and (not name.endswith(".key") or Path(name).name != name):
            raise ValueError(f"it names {name!r}")
    return dict(manifest["files"])


def _write_checked(content: IO[bytes], path: Path, expected: dict[str, Any]) -> None:
    """Raises ValueError where size or digest differ."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        while block := content.read(1 << 20):
            size += len(block)
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if path.suffix == ".key":
        path.chmod(0o600)
    if size != expected["bytes"] or digest.hexdigest() != expected["sha256"]:
        raise ValueError(f"{path.name} differs from what was backed up")


def _check_database(path: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            state = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise DamagedData(f"the catalogue in the archive cannot be read: {error}") from error
    if state != "ok":
        raise DamagedData(f"the catalogue in the archive is damaged: {state}")


@contextlib.contextmanager
def _full_disk_is_ours(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull(str(place)) from error
        raise
