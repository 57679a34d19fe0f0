"""Picture files in folders: which files are pictures, and their pixels."""

from __future__ import annotations

from pathlib import Path

from engine.errors import ImageError
from engine.image import decode, resize_long_side
from engine.settings import ImageLimits
from engine.values import ColorImage

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LIMITS = ImageLimits(formats=("JPEG", "PNG", "WebP"))
"""What files are read: other people's pictures are often WebP, which the service does not take."""


def list_pictures(folder: Path) -> list[Path]:
    """Files below the folder that are called like a picture, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)


def read_rgb(path: Path, long_side: int = 640) -> ColorImage | None:
    """The picture, at most `long_side` pixels long, or None where it cannot be read."""
    try:
        image = decode(path.read_bytes(), long_side=long_side, limits=LIMITS)[0]
    except (ImageError, OSError):
        return None
    return resize_long_side(image, long_side) if max(image.shape[:2]) > long_side else image
