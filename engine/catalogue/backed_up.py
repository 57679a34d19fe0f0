"""When a gallery was last backed up: the time of an empty file in its folder."""

from __future__ import annotations

import contextlib
from pathlib import Path

FILE_NAME = "last-backup"


def note_backup(folder: Path) -> None:
    """Where nothing may be written nothing is noted: the backup is made all the same."""
    with contextlib.suppress(OSError):
        (folder / FILE_NAME).touch()


def last_backup(folder: Path) -> float | None:
    """Seconds since 1970; None where no backup was noted."""
    try:
        return (folder / FILE_NAME).stat().st_mtime
    except OSError:
        return None
