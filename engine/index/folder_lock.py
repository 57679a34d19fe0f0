"""One holder per data folder: who merges and saves indexes."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import DataFolderLocked, ReadOnlyData, StorageFailed

HOLDER, SERVER = "lock", "server.lock"
"""Names of the lock of who saves indexes, and of the one that a server holds beside it."""
_SHARES = b"others may work beside this process\n"
_WONT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)


class FolderLock:
    """An advisory lock on FOLDER/lock; it falls when the process ends, however it ends."""

    def __init__(self, folder: Path, *, name: str = HOLDER, shares: bool = False) -> None:
        """shares: others may have the gallery open meanwhile, which they then do without saving; without it the holder
        replaces files, and is refused where a server works beside another holder. Raises DataFolderLocked, ReadOnlyData
        where the holder could not write."""
        path = folder / name
        index = folder / "index"
        if index.exists() and not os.access(index, os.W_OK):
            raise ReadOnlyData(str(index), "this process cannot save there")
        self._file: int | None = None
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            if error.errno in _WONT_WRITE:
                raise ReadOnlyData(str(path), "this process cannot hold the folder") from error
            raise
        try:
            if not _locked(self._file, path):
                raise DataFolderLocked(str(folder))
            if name == HOLDER and not shares and (folder / SERVER).exists():
                FolderLock(folder, name=SERVER).release()
            os.truncate(self._file, 0)
            os.write(self._file, _SHARES if shares else b"")
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Once; after that there is nothing to do: the number may be another file's by then."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def wait_until_shared(folder: Path, tell: Callable[[], None], *, pause_seconds: float = 0.2) -> None:
    """Until no process holds the folder for itself alone. tell: is called once where that takes longer than a moment,
    as the holding by a short command does not."""
    path = folder / HOLDER
    tries = 0
    while path.exists():
        try:
            FolderLock(folder, shares=True).release()
            return
        except DataFolderLocked:
            # Who has just taken the lock may not have said yet what for.
            with contextlib.suppress(FileNotFoundError):
                if tries >= _PATIENCE and path.read_bytes() == _SHARES:
                    return
        if tries == _PATIENCE:
            tell()
        tries += 1
        time.sleep(pause_seconds)


_PATIENCE = 10


def _locked(file: int, path: Path) -> bool:
    """Whether the open file could be locked: the one place that knows how systems do that."""
    try:
        import fcntl
    except ImportError:
        return _locked_on_windows(file, path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise StorageFailed(str(path), f"it cannot be locked: {error.strerror}; use a local file system") from error
    return True


def _locked_on_windows(file: int, path: Path) -> bool:
    try:
        import msvcrt
    except ImportError as error:
        raise StorageFailed(str(path), "this system has no file locks that Obverse knows") from error
    try:
        # Far behind all content: Windows lets nobody read what is locked.
        os.lseek(file, 1 << 20, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    finally:
        os.lseek(file, 0, os.SEEK_SET)
    return True
