"""BMP headers."""

from __future__ import annotations

import struct

from engine.containers.container import Container
from engine.errors import TruncatedImage, UnsupportedFormat

_HEADERS = {12, 40, 52, 56, 64, 108, 124}
"""Bytes of the header, by which its versions are told."""
_PLAIN = {0, 3, 6}
"""Ways of storing pixels: as they are, or in masks. Run lengths are left out: what unpacks them is not compiled."""


def read_bmp(data: bytes) -> Container:
    """The file stays as it is: it holds no pieces, and nothing but pixels behind its header."""
    (header,) = struct.unpack_from("<I", data, 14)
    if header not in _HEADERS:
        raise TruncatedImage("BMP")
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return Container(data=data, size=(width, height))
    width, height, _, _, way = struct.unpack_from("<iiHHI", data, 18)
    if way not in _PLAIN:
        raise UnsupportedFormat("BMP with packed pixels", ("BMP with plain pixels",))
    if width <= 0 or height == 0:
        raise TruncatedImage("BMP")
    return Container(data=data, size=(width, abs(height)))
