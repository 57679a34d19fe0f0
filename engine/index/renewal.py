"""What was loaded from files is watched; where it turns out to be damaged, another index takes its place.

Searches go on meanwhile.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Protocol, Self

from engine.errors import ObverseError
from engine.index.slots import SlotTable

_log = logging.getLogger(__name__)


class Closing(ObverseError):
    """What was being built is not needed any more."""

    def __init__(self) -> None:
        super().__init__("the gallery is being closed")


class Renewable(Protocol):
    """An index, as a renewal sees it."""

    table: SlotTable
    """What is searched at present."""

    def built_anew(self) -> Self:
        """Another one, of the whole catalogue. Raises Closing where it is not needed any more."""

    def become(self, fresh: Self) -> int:
        """Goes on with what another has; gives its number of pictures."""


class Renewal:
    """Of one index. Safe for use by many threads."""

    def __init__(self, index: Renewable) -> None:
        # Weakly: an index that nobody has any more gives its memory back at once, not when cycles are looked for.
        self._index = weakref.ref(index)
        self.closing = threading.Event()
        self.saving = threading.Lock()
        """Held by who saves, and by who puts an index that was built anew in the place of a damaged one."""
        self.before: Callable[[], None] = _nothing
        """Is called, while nothing saves, before that."""
        self._renewing = threading.Lock()
        self._watchers: list[threading.Thread] = []

    def watch(self, table: SlotTable, check: Callable[[threading.Event], str | None]) -> None:
        """Looks, in a thread, at what was loaded: that table, and all with it. check: gives what is wrong with it, or
        nothing once the event says that the index closes."""

        def work() -> None:
            try:
                try:
                    reason = check(self.closing)
                except OSError as error:
                    reason = str(error)
                if reason is not None:
                    self.build_anew(table, reason)
            except Closing:
                pass
            except ObverseError as error:
                _log.error("the damaged index is not built anew: %s", error)

        # A daemon: who forgets to close a gallery that he only reads is not kept alive by it.
        self._watchers.append(threading.Thread(target=work, name="index-watcher", daemon=True))
        self._watchers[-1].start()

    def build_anew(self, table: SlotTable, reason: object) -> None:
        """Builds all anew and goes on with that. table: the damaged one; nothing is done where another has taken its
        place already. Raises Closing."""
        with self._renewing:
            index = self._index()
            if index is None or index.table is not table:
                return
            _log.warning("the index is damaged (%s); it is built anew from the catalogue", reason)
            fresh = index.built_anew()
            with self.saving:
                if self.closing.is_set():
                    raise Closing
                self.before()
                pictures = index.become(fresh)
            _log.warning("the index is whole again: %d pictures", pictures)

    def join(self) -> None:
        """Until all that was to be looked at has been."""
        for watcher in self._watchers:
            watcher.join()

    def close(self) -> None:
        with self.saving:  # who puts another index in this one's place has done so before, or does not any more
            self.closing.set()
        self.join()


def _nothing() -> None:
    pass
