"""TIFF directories: the first picture of a file (TIFF 6.0, Adobe 1992)."""

from __future__ import annotations

import struct

from engine.containers.container import Container
from engine.errors import ImageTooLarge, TruncatedImage, UnsupportedFormat

ENTRIES = 1_000
"""Of a directory; a photo has some twenty."""
PLACES = 20_000
"""Strips or tiles of a picture: one for each line of the tallest scan. All may point to the same bytes."""
VALUE_BYTES = 4_000_000
"""Of all values together that are handed on: places and lengths of strips or tiles, and a palette."""
_KEPT = {
    *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 338, 339),
    *(347, 530, 531, 532),
}
"""Tags on which pixels depend; not the orientation, by which a decoder would turn them."""
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Of one value, by its type."""
_WIDTH, _HEIGHT, _COMPRESSION, _COLOURS, _ORIENTATION = 256, 257, 259, 262, 274
_JUDGED = (_WIDTH, _HEIGHT, _COMPRESSION, _COLOURS)
"""Numbers by which a file is judged: what the decoder reads of them must be what was judged."""
_PLACES = (273, 279, 324, 325)
"""Where strips and tiles lie, and how long they are."""
_LENGTHS = (279, 325)
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, fax, LZW, JPEG, deflate, packed bits."""
_KNOWN_COLOURS = {0, 1, 2, 3, 5, 6}
"""Grey on white or on black, RGB, a palette, CMYK, YCbCr."""


def read_tiff(data: bytes) -> Container:
    """The file with a directory at its end that holds each tag on which pixels depend, once, and no other: a decoder
    reads whatever a directory points to, as often as it does."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (number,) = struct.unpack_from(f"{order}H", data, at)
    if number > ENTRIES:
        raise ImageTooLarge("entries", number, ENTRIES)
    kept: dict[int, bytes] = {}
    numbers: dict[int, int] = {}
    total = 0
    for i in range(number):
        entry = data[at + 2 + 12 * i : at + 14 + 12 * i]
        tag, kind, count = struct.unpack_from(f"{order}HHI", entry)
        if tag == _ORIENTATION and count == 1 and kind == 3:
            numbers.setdefault(tag, struct.unpack_from(f"{order}H", entry, 8)[0])
        if tag not in _KEPT or tag in kept or kind not in _BYTES:
            continue
        if tag in _JUDGED:
            if count != 1 or kind not in (3, 4):
                raise TruncatedImage("TIFF")
            numbers[tag] = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", entry, 8)[0]
        if tag in _PLACES and count > PLACES:
            raise ImageTooLarge("strips or tiles", count, PLACES)
        size = _BYTES[kind] * count
        total += size
        if total > VALUE_BYTES:
            raise ImageTooLarge("bytes of values", total, VALUE_BYTES)
        if size > 4 and struct.unpack_from(f"{order}I", entry, 8)[0] + size > len(data):
            raise TruncatedImage("TIFF")
        if tag in _LENGTHS and kind in (3, 4) and sum(_values(data, entry, order, kind, count)) > len(data):
            raise TruncatedImage("TIFF")
        kept[tag] = entry
    if not numbers.get(_WIDTH) or not numbers.get(_HEIGHT):
        raise TruncatedImage("TIFF")
    if numbers.get(_COMPRESSION, 1) not in _COMPRESSIONS or numbers.get(_COLOURS, 2) not in _KNOWN_COLOURS:
        raise UnsupportedFormat("TIFF of a rare kind", ("a plain, LZW, deflate, JPEG or fax TIFF",))
    padded = data if len(data) % 2 == 0 else data + b"\0"
    directory = [struct.pack(f"{order}H", len(kept)), *(kept[tag] for tag in sorted(kept)), bytes(4)]
    told = numbers.get(_ORIENTATION, 1)
    return Container(
        data=b"".join([data[:4], struct.pack(f"{order}I", len(padded)), padded[8:], *directory]),
        size=(numbers[_WIDTH], numbers[_HEIGHT]),
        orientation=told if 1 <= told <= 8 else 1,
    )


def _values(data: bytes, entry: bytes, order: str, kind: int, count: int) -> tuple[int, ...]:
    """Of an entry of whole numbers."""
    format_of = f"{order}{count}{'H' if kind == 3 else 'I'}"
    (at,) = struct.unpack_from(f"{order}I", entry, 8)
    found: tuple[int, ...] = (
        struct.unpack_from(format_of, entry, 8)
        if _BYTES[kind] * count <= 4
        else struct.unpack_from(format_of, data, at)
    )
    return found
