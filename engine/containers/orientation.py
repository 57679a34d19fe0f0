"""The one number that is read of metadata: how the picture is to be turned."""

from __future__ import annotations

import re
import struct

EXIF = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_ORIENTATION = 0x0112
_INTEGERS = {3: "H", 4: "L", 8: "h", 9: "l", 13: "L"}
"""TIFF 6.0, section 2, "Types": those that may hold an orientation."""


def orientation_of(exif: bytes, xmp: bytes) -> int:
    """1 to 8. exif: from "Exif" or from its TIFF header on; xmp: asked where the other tells none. What makes no
    sense tells none."""
    found = _from_exif(exif)
    if found is None:
        match = _XMP_ORIENTATION.search(xmp)
        found = int(match[1]) if match else 1
    return found if 1 <= found <= 8 else 1


def _from_exif(exif: bytes) -> int | None:
    """The first directory's only: whatever else it points to is not followed, so that no circle is walked."""
    for _ in range(2):
        exif = exif.removeprefix(EXIF)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or exif[2:4] not in (b"*\0", b"\0*") or len(exif) < 8:
        return None
    at = struct.unpack_from(f"{order}L", exif, 4)[0]
    if at + 2 > len(exif):
        return None
    number = struct.unpack_from(f"{order}H", exif, at)[0]
    entries = exif[at + 2 : at + 2 + 12 * number]
    for tag, kind, count, value in struct.iter_unpack(f"{order}HHL4s", entries[: len(entries) // 12 * 12]):
        if tag == _ORIENTATION and kind in _INTEGERS and count == 1:
            return int(struct.unpack_from(f"{order}{_INTEGERS[kind]}", value)[0])
    return None
