"""What a file holds around its pixels: JPEG segments, PNG chunks, WebP chunks, walked once and judged.

Decoders look at everything that a file carries, some of it in time that grows with its square, and refuse a picture
for a fault in a part that no pixel depends on. So they are handed what pixels depend on and nothing else: a file of a
few thousand pieces at most, without metadata, that ends where the picture ends. Of the metadata one number is read,
the orientation, as well as it can be.

Nothing here walks a file byte by byte: pieces are counted and refused beyond a limit, and what lies between them is
searched by compiled code.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from engine.errors import ImageTooLarge, TruncatedImage

SEGMENTS = 2_000
"""Of a JPEG. A photo has ten to thirty; a colour profile, a depth map or notes of 20 MB need 320 of 64 KB."""
CHUNKS = 40_000
"""Of a PNG or WebP. Some writers cut pixels into pieces of 1 KB: 20,000 in a file of 20 MB."""
SCANS = 32
"""A progressive JPEG refines its pixels in about ten scans; a thousand empty ones would keep the decoder busy for
most of a minute."""
TABLE_BYTES = 65_536
"""Of a JPEG's tables before its first scan, which take 3 KB where each is given once."""
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
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"

_PNG_START = b"\x89PNG\r\n\x1a\n"
_NAME = re.compile(rb"\w{4}")
_TEXTS = {b"XML:com.adobe.xmp", b"Raw profile type exif"}
_TEXT_BYTES = 1_000_000
"""As much of a compressed text is looked at."""
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_ORIENTATION = 0x0112
_INTEGERS = {3: "H", 4: "L", 8: "h", 9: "l", 13: "L"}
"""TIFF 6.0, section 2, "Types": those that may hold an orientation."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A file as decoders are given it."""

    data: bytes
    """Without metadata."""
    size: tuple[int, int]
    """Width and height as they are stored."""
    orientation: int = 1
    """EXIF 2.32, 4.6.4: 1 to 8; 1 where none is told, or none that makes sense."""
    ended: bool = True
    """False: a JPEG whose end mark is missing, though no scan is. Whether its last pixels are there must be tried."""
    buffered_channels: int = 0
    """Channels of which a decoder holds every coefficient at once: those of a JPEG of several scans; 0 where it works
    line by line."""
    deep_colour: bool = False
    """A PNG of 16 bits in more than one channel."""


def read_container(data: bytes, name: str) -> Container:
    """name: as `engine.image.sniff` tells it. Raises ImageTooLarge for too many pieces, TruncatedImage."""
    readers = {"JPEG": _read_jpeg, "PNG": _read_png, "WebP": _read_webp}
    try:
        return readers[name](data)
    except (struct.error, IndexError) as error:  # the file ends within a piece
        raise TruncatedImage(name) from error


# JPEG


def _read_jpeg(data: bytes) -> Container:
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
        elif marker == 0xE1 and body.startswith(_EXIF):
            # One that is too long for a segment goes on in the next: joined at the end, since adding each to what is
            # there would copy that every time.
            exif.append(body[len(_EXIF) :] if exif else body)
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


# PNG


def _read_png(data: bytes) -> Container:
    kept: dict[bytes, bytes] = {}
    pixels: list[memoryview] = []
    exif, texts = b"", dict[bytes, tuple[bytes, bytes]]()
    view, position, chunks = memoryview(data), len(_PNG_START), 0
    while position + 8 <= len(data):
        chunks += 1
        if chunks > CHUNKS:
            raise ImageTooLarge("chunks", chunks, CHUNKS)
        length, name = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + length
        position = end + 4
        if name == b"IDAT":
            if length:
                pixels.append(view[start:end])
        elif name == b"IEND":
            break
        elif end > len(data) or not _NAME.fullmatch(name):
            if not pixels:
                raise TruncatedImage("PNG")
            break
        elif name in (b"IHDR", b"PLTE", b"tRNS"):
            if not pixels:
                kept[name] = data[start - 8 : position]
        elif name == b"eXIf":
            exif = data[start:end]
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            key = data[start : min(end, start + 80)].split(b"\0", 1)[0]
            if key in _TEXTS:
                texts[key] = (name, data[start + len(key) + 1 : end])
    header = kept.get(b"IHDR", b"")
    if len(header) < 25:
        raise TruncatedImage("PNG")
    width, height, depth, colour = struct.unpack_from(">IIBB", header, 8)
    body = b"".join(pixels)
    return Container(
        data=b"".join([_PNG_START, *(kept[n] for n in (b"IHDR", b"PLTE", b"tRNS") if n in kept), _chunks(body)]),
        size=(width, height),
        orientation=orientation_of(exif or _raw_profile(texts), _text(texts, b"XML:com.adobe.xmp")),
        deep_colour=depth == 16 and colour in (2, 4, 6),
    )


def _chunks(body: bytes) -> bytes:
    """The pixels in one chunk, which is read at once where a thousand are sought one by one, and the end."""
    check = zlib.crc32(body, zlib.crc32(b"IDAT"))
    head, tail = struct.pack(">I4s", len(body), b"IDAT"), struct.pack(">I", check)
    return b"".join([head, body, tail, b"\0\0\0\0IEND\xaeB`\x82"])


def _text(texts: dict[bytes, tuple[bytes, bytes]], key: bytes) -> bytes:
    """Empty where there is none or where it cannot be read. PNG 1.2, 4.2.3: what stands before the text itself."""
    name, value = texts.get(key, (b"tEXt", b""))
    packed = name == b"zTXt"
    if name == b"iTXt":
        packed = value[:1] != b"\0"
        value = b"\0".join(value[2:].split(b"\0", 2)[2:])
    elif packed:
        value = value[1:]
    if not packed:
        return value
    try:
        return zlib.decompressobj().decompress(value, _TEXT_BYTES)
    except zlib.error:
        return b""


def _raw_profile(texts: dict[bytes, tuple[bytes, bytes]]) -> bytes:
    """EXIF as ImageMagick writes it: a name and a length in lines of their own, then hexadecimal digits."""
    try:
        return bytes.fromhex(b"".join(_text(texts, b"Raw profile type exif").split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


# WebP


def _read_webp(data: bytes) -> Container:
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


# Orientation


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
        exif = exif.removeprefix(_EXIF)
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
