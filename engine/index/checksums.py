"""Sums of the index's files: what a disk has changed since is told from what was written.

CRC-32 finds every flipped bit and every burst of up to 32 bits, and misses one in four thousand million of other
changes. It reads 2.5 GB a second on one core, three times as much as SHA-256: nobody is to be kept out here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engine.values import Array

BLOCK = 1 << 22
"""Bytes of a file that grows which have a sum of their own: a save sums what it appends, nothing before."""
_READ = 1 << 20


@dataclass(frozen=True)
class FileSum:
    """What a file that never changes should be."""

    bytes: int
    crc: int


def sum_file(path: Path) -> FileSum:
    """Of the file as it is now."""
    crc, size = 0, 0
    with path.open("rb") as file:
        while data := file.read(_READ):
            crc, size = zlib.crc32(data, crc), size + len(data)
    return FileSum(size, crc)


def sum_blocks(file: BinaryIO, size: int) -> list[int]:
    """Of the blocks of the file's first `size` bytes as they are now."""
    file.seek(0)
    return [zlib.crc32(file.read(min(BLOCK, size - start))) for start in range(0, size, BLOCK)]


def extend(sums: Sequence[int], size: int, data: Array) -> list[int]:
    """The sums of the blocks of a file of `size` bytes, whose sums are given, after `data` is written at its end."""
    result, appended = list(sums), np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    start = 0
    while start < len(appended):
        room = BLOCK - (size + start) % BLOCK
        piece = appended[start : start + room].tobytes()
        if room < BLOCK:
            result[-1] = zlib.crc32(piece, result[-1])
        else:
            result.append(zlib.crc32(piece))
        start += len(piece)
    return result


@dataclass(frozen=True)
class Chunk:
    """A part of an open file, and the sum that it should have."""

    name: str
    file: BinaryIO
    offset: int
    length: int
    crc: int

    def is_whole(self) -> bool:
        """Reads it. Raises OSError where the disk cannot."""
        crc, missing = 0, self.length
        self.file.seek(self.offset)
        while missing:
            data = self.file.read(min(_READ, missing))
            if not data:
                return False
            crc, missing = zlib.crc32(data, crc), missing - len(data)
        return crc == self.crc


def whole_file(name: str, file: BinaryIO, expected: FileSum) -> Chunk:
    return Chunk(name, file, 0, expected.bytes, expected.crc)


def blocks(name: str, file: BinaryIO, size: int, sums: Sequence[int]) -> Iterator[Chunk]:
    """The first `size` bytes of a file that grows. Raises ValueError where the sums are not those of so many."""
    if len(sums) != -(-size // BLOCK):
        raise ValueError(f"{name} has {len(sums)} sums for {size} bytes")
    for number, crc in enumerate(sums):
        yield Chunk(name, file, number * BLOCK, min(BLOCK, size - number * BLOCK), crc)
