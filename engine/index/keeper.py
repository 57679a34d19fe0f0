"""Saving the index of one data folder, so that memory holds few records of its own and a start replays little."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from engine.errors import StorageFailed
from engine.index import snapshot
from engine.index.embedded import EmbeddedIndex
from engine.index.folder_lock import FolderLock

_log = logging.getLogger(__name__)


class IndexKeeper:
    """Saves an index for the holder of its folder; does nothing for who only reads it."""

    def __init__(self, index: EmbeddedIndex, folder: Path, lock: FolderLock | None) -> None:
        """lock: the holder's, None for who only reads. `close` releases it."""
        self._index, self._folder, self._lock = index, folder, lock
        self._saver: threading.Thread | None = None

    @property
    def holds(self) -> bool:
        """Whether this process is the one that saves and merges."""
        return self._lock is not None

    def load(self) -> None:
        """Maps what was saved, where it fits; the log then brings what is missing."""
        if self.holds:
            snapshot.forget_if_mostly_removed(self._folder)
            self._index.renewal.before = self._replace_damaged
        if not snapshot.load(self._index, self._folder) and self.holds:
            # At once: a catalogue that goes on from an older copy grows into the numbers of what was refused.
            snapshot.forget(self._folder)
        self._index.refresh()

    def _replace_damaged(self) -> None:
        """Forgets the files of an index that was built anew, and saves that as soon as it has taken the place."""
        snapshot.forget(self._folder)
        self._save_in_background()

    def save(self) -> None:
        """Saves all that was committed until now. Raises StorageFull, StorageFailed."""
        self._index.refresh()
        if self.holds:
            try:
                snapshot.save(self._index, self._folder)
            except OSError as error:
                reason = error.strerror or str(error)
                raise StorageFailed(
                    str(error.filename or self._folder), f"the indexes are not saved: {reason}"
                ) from error

    def save_if_due(self) -> None:
        """Saves in the background when more pictures than `EngineSettings.save_every` are in memory alone."""
        due = self._index.unsaved >= self._index.settings.save_every
        if self.holds and due:
            self._save_in_background()

    def _save_in_background(self) -> None:
        if self._saver is None or not self._saver.is_alive():
            self._saver = threading.Thread(target=self._save_or_say, name="index-saver")
            self._saver.start()

    def _save_or_say(self) -> None:
        try:
            self.save()
        except Exception as error:  # in a thread that nobody waits for, whatever it is goes unheard
            _log.error("the indexes are not saved, the next start builds what is missing: %s", error)

    def close(self) -> None:
        """Saves and closes the index. Raises StorageFull where it cannot be saved; it is closed all the same."""
        try:
            if self.holds:
                self.save()
        finally:
            self._join_saver()
            self._index.close()
            # A renewal that came to its end meanwhile has begun to save.
            self._join_saver()

    def _join_saver(self) -> None:
        if self._saver is not None:
            self._saver.join()

    def release(self) -> None:
        """Gives the folder free."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
