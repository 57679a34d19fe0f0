"""A file's container, by its format."""

from __future__ import annotations

import struct
from collections.abc import Callable

from engine.containers.bmp import read_bmp
from engine.containers.container import Container
from engine.containers.gif import read_gif
from engine.containers.isobmff import read_isobmff
from engine.containers.jpeg import read_jpeg
from engine.containers.png import read_png
from engine.containers.tiff import read_tiff
from engine.containers.webp import read_webp
from engine.errors import TruncatedImage

READERS: dict[str, Callable[[bytes], Container]] = {
    "JPEG": read_jpeg,
    "PNG": read_png,
    "WebP": read_webp,
    "AVIF": read_isobmff,
    "HEIC": read_isobmff,
    "GIF": read_gif,
    "TIFF": read_tiff,
    "BMP": read_bmp,
}
"""By the names that `engine.image.sniff` tells."""


def read_container(data: bytes, name: str) -> Container:
    """name: a key of READERS. Raises ImageTooLarge for too many pieces, UnsupportedFormat for a kind that is not read,
    TruncatedImage."""
    try:
        return READERS[name](data)
    except (struct.error, IndexError) as error:  # the file ends within a piece
        raise TruncatedImage(name) from error
