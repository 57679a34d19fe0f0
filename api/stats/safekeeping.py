"""What lies beside the file of the counts: damaged ones that were set aside, and a note of how far counting came."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from pathlib import Path

FILE_NAME = "events.duckdb"
LOG_NAME = f"{FILE_NAME}.wal"
NOTE_NAME = "events.seq"
_ASIDE = ".damaged-"
_WIDTH = 20


def set_aside(folder: Path, name: str) -> Path | None:
    """Renames a file of the counts, so that nobody opens it and nothing of it is lost; None where there is none."""
    path = folder / name
    if not path.exists():
        return None
    at = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
    target, number = folder / f"{name}{_ASIDE}{at}", 1
    while target.exists():
        target, number = folder / f"{name}{_ASIDE}{at}-{number}", number + 1
    return path.rename(target)


def aside(folder: Path) -> list[str]:
    """Names of the files that were set aside and are still there."""
    return sorted(path.name for path in folder.glob(f"events.duckdb*{_ASIDE}*"))


class SequenceNote:
    """The number of the last count that was acknowledged, in a file of its own. DuckDB ends the reading of its
    write-ahead log in silence where that ends too early; who knows how many there were notices.

    It is written after each commit and not waited for: an end of the process loses nothing of it, an end of the machine
    perhaps the newest, and then it says less than there is, which is no alarm.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NOTE_NAME

    def read(self) -> int:
        """0 where there is none that can be read."""
        try:
            text = self._path.read_text("ascii").strip()
        except (OSError, ValueError):
            return 0
        return int(text) if text.isdigit() and len(text) == _WIDTH else 0

    def write(self, number: int) -> None:
        """In place and always as long: there is room for it on a full disk, too. It is only a note: where it cannot be
        written, counting goes on."""
        with contextlib.suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(file, f"{number:0{_WIDTH}d}\n".encode())
            finally:
                os.close(file)
