"""What lies beside the file of the counts: its log, a note of how far counting came, and damaged ones that were set
aside."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

FILE_NAME = "events.duckdb"
LOG_NAME = f"{FILE_NAME}.wal"
NOTE_NAME = "events.seq"
_ASIDE = ".damaged-"


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
