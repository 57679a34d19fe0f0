"""A file as decoders are given it."""

from __future__ import annotations

from dataclasses import dataclass

CHUNKS = 40_000
"""Of a file that is made of chunks or boxes. Some writers cut a PNG's pixels into pieces of 1 KB: 20,000 in a file of
20 MB."""


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
