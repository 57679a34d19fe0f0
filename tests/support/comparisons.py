"""Comparisons of a few methods on drawn pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare.files import Prediction, read_rows
from benchmarks.compare.material import Material
from benchmarks.compare.methods import find_method
from benchmarks.compare.run.runner import run
from benchmarks.compare.settings import RunSettings

QUICK = ("phash", "global", "global+orb", "obverse")
"""Methods that are quick to run: a hash, a list alone, a list with a verifier, and the default."""
STABLE = ("method", "set", "query", "rank", "ref", "score", "accepted")
"""What two runs of the same methods have in common: all but the times."""


def compare(out: Path, material: Material, names: Sequence[str] = QUICK, settings: RunSettings | None = None) -> None:
    """Runs the methods of these names into `out`."""
    run(out, material, [find_method(n) for n in names], settings or RunSettings(), command="test")


def rows_without_times(out: Path) -> list[tuple[object, ...]]:
    """The rows of predictions.csv without their times."""
    return [tuple(getattr(r, name) for name in STABLE) for r in read_rows(out / "predictions.csv", Prediction)]
