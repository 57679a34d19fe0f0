"""Boxes of AVIF and HEIC files (ISO/IEC 14496-12, ISO/IEC 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from engine.containers.container import CHUNKS, Container
from engine.errors import ImageTooLarge, TruncatedImage

_WITHIN = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""Boxes that are entered, with the bytes before their own boxes."""


def read_isobmff(data: bytes) -> Container:
    """The file stays as it is, for a decoder that is compiled and bounds itself; size: the largest of all that the file
    announces, of tiles and small copies, too, so that none is decoded that is too large. What the picture's own is, and
    how it is turned, the decoder says."""
    sizes = [struct.unpack_from(">II", data, start + 4) for name, start, _ in _boxes(data) if name == b"ispe"]
    if not sizes:
        raise TruncatedImage("AVIF or HEIC")
    return Container(data=data, size=max(sizes, key=lambda size: size[0] * size[1]))


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, and where the content begins and ends, of every box that may tell a size."""
    count, waiting = 0, [(0, len(data))]
    while waiting:
        position, end = waiting.pop()
        while position + 8 <= end:
            count += 1
            if count > CHUNKS:
                raise ImageTooLarge("boxes", count, CHUNKS)
            length, name = struct.unpack_from(">I4s", data, position)
            head = 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", data, position + 8)
                head = 16
            elif length == 0:
                length = end - position
            if length < head:
                raise TruncatedImage("AVIF or HEIC")
            start, stop = position + head, min(position + length, end)
            yield name, start, stop
            if name in _WITHIN:
                waiting.append((start + _WITHIN[name], stop))
            position += length
