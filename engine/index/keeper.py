"""Saving the index of one data folder, so that memory holds few records of its own and a start replays little."""

from __future__ import annotations

import threading
from pathlib import Path

from engine.index import snapshot
from engine.index.embedded import EmbeddedIndex
from engine.index.folder_lock import FolderLock


class IndexKeeper:
    """Saves an index for the holder of its folder; does nothing for who only reads it."""

    def __init__(self, index: EmbeddedIndex, folder: Path, lock: FolderLock | None) -> None:
        """lock: the holder's, None for who only reads. `close` releases it."""
        self._index, self._folder, self._lock = index, folder, lock
        self._saving = threading.Lock()
        self._saver: threading.Thread | None = None

    @property
    def holds(self) -> bool:
        """Whether this process is the one that saves and merges."""
        return self._lock is not None

    def load(self) -> None:
        """Maps what was saved, where it fits; the log then brings what is missing."""
        if self.holds:
            snapshot.forget_if_mostly_removed(self._folder)
        snapshot.load(self._index, self._folder)
        self._index.refresh()

    def save(self) -> None:
        """Saves all that was committed until now."""
        self._index.refresh()
        if self.holds:
            with self._saving:
                snapshot.save(self._index, self._folder)

    def save_if_due(self) -> None:
        """Saves in the background when more pictures than `EngineSettings.save_every` are in memory alone."""
        due = self._index.unsaved >= self._index.settings.save_every
        if self.holds and due and (self._saver is None or not self._saver.is_alive()):
            self._saver = threading.Thread(target=self.save, name="index-saver")
            self._saver.start()

    def close(self) -> None:
        """Saves, closes the index and gives the folder free."""
        if self.holds:
            self.save()
        if self._saver is not None:
            self._saver.join()
        self._index.close()

    def release(self) -> None:
        """Gives the folder free."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
