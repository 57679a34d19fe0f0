"""Image files of every kind, made in memory."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from engine.image import decode
from tests.support.drawn import poster

SMALL = cv2.GaussianBlur(cv2.resize(poster(1), (90, 120), interpolation=cv2.INTER_AREA), (0, 0), 1.5)
"""A picture whose eight orientations all differ."""


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes, **options: object) -> np.ndarray:
    return decode(data, long_side=640, **options)[0]


def png_header(width: int, height: int, *, depth: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    """A PNG with correct checksums and as little inside as the caller wants."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
