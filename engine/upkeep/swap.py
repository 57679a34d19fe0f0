"""Files of a data folder replaced by others, all or none, whenever the process ends.

What is new lies ready in FOLDER/restore.part/new. That folder's new name, FOLDER/restoring, is the beginning: from then
on nobody opens the gallery. What was there is moved aside, then what is new takes its place; each of the moves is a
rename, and whoever comes later goes on where this ended. Its old name is the end, and only then is anything deleted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.catalogue.unfinished import RESTORING
from engine.durable import sync

PREPARED = "restore.part"
"""Of no meaning to a gallery: what a restore had unpacked, or a finished one had still to delete."""
_NEW, _COMING, _OLD = "new", "coming", "before"
"""What is new while the old ones are moved aside, what is new once they are, and the old ones."""


def prepare(folder: Path) -> Path:
    """An empty folder for what is new."""
    clean_up(folder)
    place = folder / PREPARED / _NEW
    place.mkdir(parents=True)
    place.parent.chmod(0o700)
    return place


def clean_up(folder: Path) -> None:
    """Deletes what is of no meaning any more."""
    shutil.rmtree(folder / PREPARED, ignore_errors=True)


def begin(folder: Path, leaving: Iterable[str]) -> None:
    """Replaces. leaving: names of files that go, whether or not there is a new one. `finish` must follow."""
    place = folder / PREPARED
    (place / _OLD).mkdir()
    # The list is on the disk before it counts: who goes on must move the same ones.
    (place / "leaving").write_text("\n".join(leaving))
    sync(place / "leaving", place / _NEW, place)
    place.rename(folder / RESTORING)
    sync(folder)


def is_unfinished(folder: Path) -> bool:
    return (folder / RESTORING).is_dir()


def finish(folder: Path) -> None:
    """Does what is left to do of what was begun."""
    place = folder / RESTORING
    if (place / _NEW).is_dir():
        for name in (place / "leaving").read_text().split("\n"):
            if (folder / name).is_file():
                (folder / name).rename(place / _OLD / name)
        sync(place / _OLD, folder)
        (place / _NEW).rename(place / _COMING)
        sync(place)
    for path in sorted((place / _COMING).iterdir()):
        path.rename(folder / path.name)
    sync(folder)
    clean_up(folder)
    place.rename(folder / PREPARED)
    sync(folder)
    clean_up(folder)
