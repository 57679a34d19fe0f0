"""PNG chunks."""

from __future__ import annotations

import re
import struct
import zlib

from engine.containers.container import CHUNKS, Container
from engine.containers.orientation import orientation_of
from engine.errors import ImageTooLarge, TruncatedImage

_PNG_START = b"\x89PNG\r\n\x1a\n"
_NAME = re.compile(rb"\w{4}")
_TEXTS = {b"XML:com.adobe.xmp", b"Raw profile type exif"}
_TEXT_BYTES = 1_000_000
"""As much of a compressed text is looked at."""


def read_png(data: bytes) -> Container:
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
