"""True homographies of an evaluation set: homographies.csv with columns query, ref, h11 ... h33.

H maps pixels of the reference's file to pixels of the photo's file, both upright.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.compare.score.metrics import Floats
from benchmarks.tables_in import read_table
from engine.errors import ResearchError

NAME = "homographies.csv"
_ORIENTATION = 0x0112
"""EXIF's tag of how the file is to be turned before it is shown."""
_INVERTED = {"71bbe552bced8ae5f16960d2388a0f16c8bd381449bcfd7e80a7986907ad16f8"}
"""SHA-256 of files that hold S_photo H_photo_to_picture S_picture^-1, where S shrinks an original to the set's
size: planar_pairs, whose matrices were taken for H_picture_to_photo when the pictures were shrunk. Warped with
S H^-1 S, S = diag(k, k, 1), k the quotient of the long sides, all its 14 pairs lie on each other; as the file has
them, none does."""


def read_homographies(folder: Path) -> dict[tuple[str, str], Floats]:
    """H_picture_to_photo, (3, 3) each, by (query, ref); empty where the set has no such file. Raises ResearchError
    where a row cannot be read."""
    path = folder / NAME
    if not path.exists():
        return {}
    inverted = hashlib.sha256(path.read_bytes()).hexdigest() in _INVERTED
    found: dict[tuple[str, str], Floats] = {}
    entries = [f"h{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
    for line, row in read_table(path, ("query", "ref", *entries)):
        try:
            H = np.array([float(row[entry]) for entry in entries]).reshape(3, 3)
        except ValueError as error:
            raise ResearchError(f"{path}, line {line}: {error} in a homography") from error
        if inverted:
            k = max(picture_size(folder / "queries" / row["query"]))
            S = np.diag([k / max(picture_size(folder / "refs" / row["ref"]))] * 2 + [1.0])
            H = S @ np.linalg.inv(H) @ S
        found[row["query"], row["ref"]] = H
    return found


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height as the file is seen, EXIF orientation applied, read from its header. Raises OSError."""
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        return (height, width) if turned else (width, height)
