"""JPEG segments."""

from __future__ import annotations

import re
import struct

from engine.containers.container import Container
from engine.containers.orientation import EXIF, orientation_of
from engine.errors import ImageTooLarge, TruncatedImage

SEGMENTS = 2_000
"""A photo has ten to thirty; a colour profile, a depth map or notes of 20 MB need 320 of 64 KB."""
SCANS = 32
"""A progressive JPEG refines its pixels in about ten scans; a thousand empty ones would keep the decoder busy for
most of a minute."""
TABLE_BYTES = 65_536
"""Of the tables before the first scan, which take 3 KB where each is given once."""
END_OF_JPEG = b"\xff\xd9"

_MARKER = re.compile(rb"\xff[^\x00\xff]")
"""Any number of FF may stand before a marker's own number; FF 00 is no marker."""
_MARKER_IN_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""Within pixels, restart marks (D0 to D7) are pixels' own."""
_START_OF_SCAN, _END, _RESTARTS = 0xDA, 0xD9, range(0xD0, 0xD8)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xCA)
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD}) | _FRAMES
_METADATA = frozenset(range(0xE0, 0xF0)) | {0xFE}
_COLOUR_MARKS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
"""The two that say which colours the channels are, with the bytes of them that decoders read."""
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def read_jpeg(data: bytes) -> Container:
    kept: list[bytes] = [data[:2]]
    exif: list[bytes] = []
    xmp = b""
    frame: bytes | None = None
    position, segments, tables = 2, 0, 0
    while True:
        found = _MARKER.search(data, position)
        if found is None:
            raise TruncatedImage("JPEG")
        start, marker = found.start(), data[found.end() - 1]
        segments += 1
        if segments > SEGMENTS:
            raise ImageTooLarge("segments", segments, SEGMENTS)
        if marker in _RESTARTS:
            position = start + 2
            continue
        if marker == _START_OF_SCAN:
            break
        position = start + 2 + _length(data, start)
        if position > len(data):
            raise TruncatedImage("JPEG")
        body = data[start + 4 : position]
        if marker in _TABLES:
            tables += len(body)
            if tables > TABLE_BYTES:
                raise ImageTooLarge("bytes of tables", tables, TABLE_BYTES)
            kept.append(data[start:position])
            frame = data[start + 1 : position] if marker in _FRAMES else frame
        elif marker not in _METADATA:
            raise TruncatedImage("JPEG")
        elif marker in _COLOUR_MARKS:
            sign, read = _COLOUR_MARKS[marker]
            if body.startswith(sign) and len(body) >= read:
                kept.append(bytes((0xFF, marker, 0, read + 2)) + body[:read])
        elif marker == 0xE1 and body.startswith(EXIF):
            # One that is too long for a segment goes on in the next: joined at the end, since adding each to what is
            # there would copy that every time.
            exif.append(body[len(EXIF) :] if exif else body)
        elif marker == 0xE1 and body.startswith(_XMP):
            xmp = body
    if frame is None:
        raise TruncatedImage("JPEG")
    end, complete = _scans(data, start, segments, frame)
    unended = end is None and complete
    # Where scans are missing, or damage hides the end, the decoder says whether that can be read.
    pixels = _without_filling(data[start:]) if unended else data[start:end]
    height, width = struct.unpack_from(">HH", frame, 4)
    return Container(
        data=b"".join([*kept, pixels]),
        size=(width, height),
        orientation=orientation_of(b"".join(exif), xmp),
        ended=not unended,
        buffered_channels=frame[8] if frame[0] in _PROGRESSIVE or data[start + 4] < frame[8] else 0,
    )


def _scans(data: bytes, start: int, segments: int, frame: bytes) -> tuple[int | None, bool]:
    """Where the picture that begins its first scan at `start` ends, behind its end mark, or None where there is no
    such mark; and whether each channel's coefficients have all been given, to their last bit.

    frame: the frame header from its marker's number on. What follows the end mark (the film of a motion photo, a
    second picture, a maker's notes) is not looked at: random bytes hold the sign of a scan in every 64 KB.
    """
    channels = {frame[9 + 3 * i] for i in range(frame[8])}
    missing = {(channel, k) for channel in channels for k in range(64)}
    position, scans = start, 0
    while True:
        found = _MARKER_IN_SCAN.search(data, position)
        if found is None:
            return None, not missing
        at, marker = found.start(), data[found.end() - 1]
        segments += 1
        if segments > SEGMENTS:
            raise ImageTooLarge("segments", segments, SEGMENTS)
        if marker == _END:
            return found.end(), not missing
        if marker < 0xC0 or marker == 0xD8:  # no segment; decoders refuse it, or take it for damage
            position = found.end()
            continue
        if at + 4 > len(data):
            return None, False
        position = at + 2 + _length(data, at)
        if position > len(data):
            return None, False
        if marker == _START_OF_SCAN:
            scans += 1
            if scans > SCANS:
                raise ImageTooLarge("scans", scans, SCANS)
            header = data[at + 4 : position]
            number = header[0]
            first, last, bits = header[1 + 2 * number], header[2 + 2 * number], header[3 + 2 * number] & 15
            if bits == 0:
                given = {header[1 + 2 * i] for i in range(number)}
                missing -= {(channel, k) for channel in given for k in range(first, min(last, 63) + 1)}


def _length(data: bytes, start: int) -> int:
    """Of the segment whose marker lies at `start`, with the two bytes that tell it: also where they tell less."""
    return max(2, int.from_bytes(data[start + 2 : start + 4], "big"))


def _without_filling(pixels: bytes) -> bytes:
    """Zeros behind a file's last byte are what a card or a download had reserved: as pixels they would be grey."""
    bare = pixels.rstrip(b"\0")
    if bare.endswith(b"\xff"):  # FF 00 is a pixels' byte, FF alone is half an end mark
        bare = bare + b"\0" if len(bare) < len(pixels) else bare[:-1]
    return bare
