"""GIF blocks: the first picture of a file alone (GIF89a specification, W3C)."""

from __future__ import annotations

import struct

from engine.containers.container import CHUNKS, Container
from engine.errors import ImageTooLarge, TruncatedImage

_SCREEN = 13
"""Bytes of the signature and of the logical screen's descriptor."""
_EXTENSION, _PICTURE, _GRAPHIC_CONTROL = 0x21, 0x2C, 0xF9
_END = b"\x00\x3b"


def read_gif(data: bytes) -> Container:
    """Signature, screen, palette, the first picture and what says which of its colours is clear; comments and what
    follows are left out."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    start = _SCREEN + _palette(flags)
    kept, control, position, blocks = [data[:start]], b"", start, 0
    while True:
        kind = data[position]
        blocks += 1
        if blocks > CHUNKS:
            raise ImageTooLarge("blocks", blocks, CHUNKS)
        if kind == _PICTURE:
            break
        if kind != _EXTENSION:
            raise TruncatedImage("GIF")
        end, found = _blocks(data, position + 2, blocks)
        blocks += found
        if data[position + 1] == _GRAPHIC_CONTROL:
            control = data[position:end]
        position = end
    left, top, across, down, flags = struct.unpack_from("<HHHHB", data, position + 1)
    pixels = position + 10 + _palette(flags)
    end, _ = _blocks(data, pixels + 1, blocks)
    kept += [control[:8], data[position : end - 1], _END]
    return Container(data=b"".join(kept), size=(max(width, left + across), max(height, top + down)))


def _palette(flags: int) -> int:
    """Bytes of the table of colours that a descriptor announces."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(data: bytes, start: int, before: int) -> tuple[int, int]:
    """Where the chain of blocks that begins at `start` ends, behind its last one, which is empty; and how many they
    are. before: how many the file had."""
    position, count = start, 0
    while data[position]:
        position += 1 + data[position]
        count += 1
        if before + count > CHUNKS * 4:  # of 255 bytes each: 40 MB
            raise ImageTooLarge("blocks", before + count, CHUNKS * 4)
    return position + 1, count
