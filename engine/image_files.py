"""Picture files in folders: which files are pictures, and their pixels."""

from __future__ import annotations

from pathlib import Path

import cv2

from engine.image import resize_long_side
from engine.values import ColorImage

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def list_pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)


def read_rgb(path: Path, long_side: int = 640) -> ColorImage | None:
    """The picture, at most `long_side` pixels long, or None where it cannot be read."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None or min(image.shape[:2]) < 32:
        return None
    if max(image.shape[:2]) > long_side:
        image = resize_long_side(image, long_side)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
