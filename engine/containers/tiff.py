"""TIFF directories: the first picture of a file (TIFF 6.0, Adobe 1992)."""

from __future__ import annotations

import struct

from engine.containers.container import Container
from engine.errors import ImageTooLarge, TruncatedImage, UnsupportedFormat

ENTRIES = 1_000
"""Of a directory; a photo has some twenty."""
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
        if count == 1 and kind in (3, 4):
            numbers.setdefault(tag, struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", entry, 8)[0])
        if tag not in _KEPT or tag in kept or kind not in _BYTES:
            continue
        size = _BYTES[kind] * count
        total += size
        if total > VALUE_BYTES:
            raise ImageTooLarge("bytes of values", total, VALUE_BYTES)
        if size > 4 and struct.unpack_from(f"{order}I", entry, 8)[0] + size > len(data):
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
