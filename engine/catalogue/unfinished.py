"""A data folder whose files are being replaced by those of a backup is no gallery until that has come to its end."""

from __future__ import annotations

from pathlib import Path

from engine.errors import DamagedData

RESTORING = "restoring"
"""The folder, in a data folder, of what a restore has still to put in its place, and of what was there before."""


def check_restored(folder: Path) -> None:
    """Raises DamagedData where a restore was cut short: the catalogue may be of another time than the keys."""
    place = folder / RESTORING
    if place.exists():
        raise DamagedData(
            f"a restore into {folder} was cut short: run `obverse restore` again, which comes to its end. What was "
            f"there before lies in {place / 'before'} until then"
        )
