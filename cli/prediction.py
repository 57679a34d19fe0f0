"""What a bulk import will need, told before it begins."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.describe.records import RECORD_BYTES
from engine.shortlist import votes

RENDITION_BYTES = 70_000
"""A kept JPEG of 640 pixels: mean of posters and packages, some are twice as large."""
CATALOGUE_BYTES = 1_500
"""Of a row, its log entry and the indexes of the tables."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Bytes. memory: of all indexes of a gallery of that size, mapped files included; disk: that the new
    pictures add; free: on the disk that holds the folder."""

    memory: int
    disk: int
    free: int

    @property
    def fits(self) -> bool:
        return self.disk < self.free


def predict(folder: Path, *, present: int, new: int, global_dimension: int, keep_pictures: bool) -> Prediction:
    """For a gallery of `present` pictures that gets `new` ones."""
    indexed = RECORD_BYTES + global_dimension + votes.settings_for(present + new).bytes_per_picture
    stored = RECORD_BYTES + global_dimension + CATALOGUE_BYTES + (RENDITION_BYTES if keep_pictures else 0)
    return Prediction(
        memory=(present + new) * indexed, disk=new * (indexed + stored), free=shutil.disk_usage(folder).free
    )


def in_words(size: int) -> str:
    """1234567 as "1.2 MB"."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
