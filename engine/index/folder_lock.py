"""One holder per data folder: who merges and saves indexes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from engine.errors import DataFolderLocked


class FolderLock:
    """An advisory lock on FOLDER/lock; it falls when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Raises DataFolderLocked."""
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise DataFolderLocked(str(folder)) from error

    def release(self) -> None:
        os.close(self._file)
