"""The example of docs/methods.md as a newcomer would follow it."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path

import pytest

from benchmarks.compare.files import Prediction, read_rows
from benchmarks.compare.material import Material, gather
from benchmarks.compare.methods import Method, Verifier
from benchmarks.compare.parts import shortlists
from benchmarks.compare.run.runner import run
from benchmarks.compare.settings import RunSettings
from benchmarks.sets import read_set
from tests.support.drawn_sets import make_set

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "methods.md"


@pytest.fixture
def material(tmp_path: Path) -> Material:
    return gather([read_set(make_set(tmp_path / "set", range(4)))], [])


def firsts(out: Path) -> dict[str, str]:
    return {r.query: r.ref for r in read_rows(out / "predictions.csv", Prediction) if r.rank == 1}


def test_guide(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's file and its two lines make a method that runs and finds the pictures."""
    code, entry, method = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    name, place = next(iter(eval(entry).items()))
    module = types.ModuleType(place.split(":")[0])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)
    monkeypatch.setitem(shortlists.SHORTLISTS, name, place)
    made = eval(method, {"Method": Method, "Verifier": Verifier})
    run(tmp_path / "out", material, [made], RunSettings(), command="test")
    assert firsts(tmp_path / "out") == {f"q{n}.png": f"r{n}.png" for n in range(4)}
    entries = json.loads((tmp_path / "out" / "run.json").read_text())["methods"]
    assert [(e["name"], e["shortlists"]) for e in entries] == [("tiny-grey+orb", ["tiny_grey"])]


def test_guide_names_every_method() -> None:
    from benchmarks.compare.methods import METHODS

    assert [m.name for m in METHODS if f"`{m.name}`" not in GUIDE.read_text()] == []
