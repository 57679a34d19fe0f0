"""A comparison on real photographs: floors under what was measured, and what a system must not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.compare.files import Prediction, read_rows
from benchmarks.compare.material import gather
from benchmarks.compare.methods import find_method
from benchmarks.compare.run.runner import run
from benchmarks.compare.settings import RunSettings
from benchmarks.sets import read_set

FLOORS = {"votes": 29, "global+sift": 29, "obverse": 31}
"""Photos of 33 whose first reference is right, a few below what was measured."""


@pytest.mark.shared
def test_cereal_shelf(shared_data: Path, tmp_path: Path) -> None:
    """Boxes on shelves among 15 distractors."""
    folder = shared_data / "eval"
    evaluation = read_set(folder / "cereal_shelf")
    material = gather([evaluation], [folder / "distractors" / "refs"], limit=15)
    run(tmp_path, material, [find_method(n) for n in FLOORS], RunSettings(), command="test")
    rows = [r for r in read_rows(tmp_path / "predictions.csv", Prediction) if r.rank == 1]
    right = {name: sum(r.method == name and r.ref in evaluation.truth[r.query] for r in rows) for name in FLOORS}
    assert all(right[name] >= floor for name, floor in FLOORS.items()), right
    answers = [r for r in rows if r.method == "obverse" and r.accepted]
    assert len(answers) >= 25
    assert all(r.ref in evaluation.truth[r.query] for r in answers)
