"""WebP chunks."""

from __future__ import annotations

import struct

from engine.containers.container import CHUNKS, Container
from engine.containers.orientation import orientation_of
from engine.errors import ImageTooLarge, TruncatedImage


def read_webp(data: bytes) -> Container:
    """The file stays as it is: its decoder is compiled and takes what it needs, but no metadata."""
    found: dict[bytes, bytes] = {}
    size = _webp_size(data[12:16], data[20:30])
    position, chunks = 12, 0
    while position + 8 <= len(data):
        chunks += 1
        if chunks > CHUNKS:
            raise ImageTooLarge("chunks", chunks, CHUNKS)
        name, length = struct.unpack_from("<4sI", data, position)
        if name in (b"EXIF", b"XMP "):
            found.setdefault(name, data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    told = orientation_of(found.get(b"EXIF", b""), found.get(b"XMP ", b""))
    return Container(data=data, size=size, orientation=told)


def _webp_size(kind: bytes, header: bytes) -> tuple[int, int]:
    """Width and height by the first chunk: WebP container specification, "Extended File Format"; RFC 6386, 9.1;
    WebP lossless bitstream specification, 3."""
    if kind == b"VP8X" and len(header) == 10:
        return int.from_bytes(header[4:7], "little") + 1, int.from_bytes(header[7:10], "little") + 1
    if kind == b"VP8L" and header[:1] == b"\x2f":
        bits = int.from_bytes(header[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and header[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", header, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise TruncatedImage("WebP")
