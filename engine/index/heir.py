"""Waiting beside the holder of a data folder, to become the next one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from engine.errors import DataFolderLocked, ObverseError
from engine.index.folder_lock import FolderLock

_log = logging.getLogger(__name__)


class Heir:
    """Takes the folder's lock, from a thread of its own, when its holder ends."""

    def __init__(self, folder: Path, take: Callable[[FolderLock], None], *, pause_seconds: float = 0.2) -> None:
        """take: is handed the lock; where it raises one of our errors, the lock is given free and nobody takes over."""
        self._folder, self._take, self._pause = folder, take, pause_seconds
        self._ending = threading.Event()
        # A daemon: who forgets to close a gallery that he only reads is not kept alive by it.
        self._thread = threading.Thread(target=self._wait, name="folder-heir", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Gives up, or waits until a taking over that has begun is done."""
        self._ending.set()
        self._thread.join()

    def _wait(self) -> None:
        while not self._ending.is_set():
            try:
                lock = FolderLock(self._folder, shares=True)
            except DataFolderLocked:
                self._ending.wait(self._pause)
                continue
            except (ObverseError, OSError) as error:
                _log.error("nobody saves the indexes of %s: %s", self._folder, error)
                return
            try:
                self._take(lock)
            except ObverseError as error:
                lock.release()
                _log.error("nobody saves the indexes of %s: %s", self._folder, error)
                return
            except BaseException:
                lock.release()
                raise
            _log.info("the process that held %s has ended; this one saves its indexes from now on", self._folder)
            return
