"""A process that searches indexes of made pictures, whatever has become of their files; see tests/support/damage.py."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.catalogue import Catalogue
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.vocabulary import Vocabulary
from engine.index.embedded import EmbeddedIndex
from engine.index.folder_lock import FolderLock
from engine.index.keeper import IndexKeeper
from engine.threads import one_thread_each
from tests.support.damage import serve
from tests.support.made_index import SETTINGS, names
from tests.support.made_records import made, photographed

LIVING = {1: "one", 19: "one", 38: "one", 100: "two", 129: "two"}
GONE = {0: "one", 20: "one", 39: "one", 101: "two"}
"""Seeds of made pictures by channel; see `tests.support.made_index.filled`."""


class Messages(logging.Handler):
    """What the log says."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        logging.getLogger().addHandler(self)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage() + (" with a traceback" if record.exc_info else ""))


def finds(index: EmbeddedIndex, photo: Query, channel: str) -> list[str]:
    """All that is ranked for the photo, best first."""
    index.refresh()
    return names(index, index.rank(photo, index.catalogue.channel_numbers([channel])).pictures)


def look(folder: Path, vocabulary: Vocabulary, photos: dict[int, Query]) -> dict[str, Any]:
    """found: seeds that are found first; wrong: those that are found and must not be; said: what the log says."""
    messages = Messages()
    with messages.heard(), contextlib.closing(Catalogue(folder)) as catalogue:
        index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
        keeper = IndexKeeper(index, folder, FolderLock(folder))
        keeper.load()
        found = [s for s, channel in LIVING.items() if finds(index, photos[s], channel)[:1] == [f"{channel}/seed.{s}"]]
        wrong = [
            s for s, channel in GONE.items() if {"gone", f"{channel}/seed.{s}"} & set(finds(index, photos[s], channel))
        ]
        keeper.close()
        keeper.release()
    return {"found": found, "wrong": wrong, "said": messages.said}


if __name__ == "__main__":
    shared = PatchModel().vocabulary
    taken = {seed: Query(photographed(made(shared, seed), seed), shared) for seed in (*LIVING, *GONE)}
    with one_thread_each():
        serve(lambda folder: look(folder, shared, taken))
