"""Whether the catalogue's file goes to its end.

SQLite has no sums of its pages. Where a file was cut, as by a copy that was stopped, it reads zeros, and of half a page
rows without values: a key that fits nobody.
"""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import DamagedData

# https://www.sqlite.org/fileformat2.html, 1.3 "The Database Header" and 4.1 "WAL File Format"
_LEAST_PAGE = 512
_MAGIC, _HEADER, _LOG_HEADER, _FRAME_HEADER = b"SQLite format 3\0", 100, 32, 24


def check_whole(path: Path) -> None:
    """Raises DamagedData where the file ends before the pages that its header counts, and its write-ahead log does not
    hold those that are missing. What is no SQLite file, or is not there, is left to SQLite."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
            if len(header) < _HEADER or not header.startswith(_MAGIC):
                return
            page = int.from_bytes(header[16:18], "big")
            page = 65_536 if page == 1 else page
            if page < _LEAST_PAGE or page & (page - 1):
                return  # a power of two, in every SQLite file
            count = int.from_bytes(header[28:32], "big")
            if os.fstat(file.fileno()).st_size >= count * page:
                return
            # In this order, since others may write: a log that was emptied meanwhile is in the file by now.
            logged = _logged(path.with_name(f"{path.name}-wal"))
            there = os.fstat(file.fileno()).st_size // page
    except OSError:
        return  # what cannot be read is told where it is opened
    missing = count - there - sum(there < number <= count for number in logged)
    if missing:
        raise DamagedData(
            f"{path} ends too early: {missing} of its {count} pages are missing; restore a backup with "
            "`obverse restore`"
        )


def _logged(log: Path) -> set[int]:
    """Numbers of the pages in a write-ahead log."""
    found: set[int] = set()
    if not log.exists():
        return found
    with log.open("rb") as file:
        header = file.read(_LOG_HEADER)
        page = int.from_bytes(header[8:12], "big")
        salts = header[16:24]
        while len(frame := file.read(_FRAME_HEADER)) == _FRAME_HEADER and frame[8:16] == salts:
            found.add(int.from_bytes(frame[:4], "big"))
            file.seek(page, os.SEEK_CUR)
    return found
