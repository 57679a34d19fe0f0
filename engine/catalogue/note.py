"""A note of how far a log came, in a file beside it. SQLite and DuckDB end the reading of a write-ahead log in silence
where that ends too early; who knows how far it went notices."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_WIDTH = 20


class SequenceNote:
    """The number of the last change that was acknowledged.

    It is written after each commit and not waited for: an end of the process loses nothing of it, an end of the machine
    perhaps the newest, and then it says less than there is, which is no alarm.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> int:
        """0 where there is none that can be read."""
        try:
            text = self.path.read_text("ascii").strip()
        except (OSError, ValueError):
            return 0
        return int(text) if text.isdigit() and len(text) == _WIDTH else 0

    def write(self, number: int) -> None:
        """In place and always as long: there is room for it on a full disk, too. It is only a note: where it cannot be
        written, work goes on."""
        with contextlib.suppress(OSError):
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(file, f"{number:0{_WIDTH}d}\n".encode())
            finally:
                os.close(file)
