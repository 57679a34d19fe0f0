"""Room that a large gallery keeps for removing: on a full disk even that takes a little, for it is written down first.

The file holds nothing. Where there is no room for a removal it is deleted, and the next opening, or the next additions,
make it anew when there is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from engine.catalogue.sqlite import DATABASE_NAME

NAME = "catalogue.reserve"
SIZE = 8_000_000
"""Bytes. Removing one picture writes about 25 pages of 8 KB."""
FROM = 64_000_000
"""Bytes of the catalogue from which the reserve is worth its room: about a thousand pictures."""


def keep(folder: Path) -> None:
    """Makes it where there is none or a part of one, the catalogue is large, and room is left."""
    path = folder / NAME
    with contextlib.suppress(OSError):
        if _bytes(path) >= SIZE or (folder / DATABASE_NAME).stat().st_size < FROM or _free(folder) < 4 * SIZE:
            return
        # Nothing is cut off and all write the same: two processes that make it at once make the one reserve.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for _ in range(SIZE // 1_000_000):
                    file.write(bytes(1_000_000))
        except OSError:
            path.unlink(missing_ok=True)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def release(folder: Path) -> bool:
    """Gives the room free; whether there was any."""
    try:
        (folder / NAME).unlink()
    except OSError:
        return False
    return True


def disk_is_full(folder: Path) -> bool:
    """Whether there is no room for the smallest file that SQLite needs."""
    return _free(folder) < 100_000


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
