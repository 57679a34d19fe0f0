"""Material to compare methods on, a run of every method, and a small run folder with predictions set by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.compare.material import Material, gather
from benchmarks.compare.methods import METHODS
from benchmarks.compare.score.results import score
from benchmarks.compare.settings import RunSettings
from benchmarks.compare.show.report import write_report
from benchmarks.sets import read_set
from tests.support.comparisons import compare
from tests.support.drawn_sets import drawn, make_set, write
from tests.support.made_run import make_run


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Two sets of five pictures, two photos of nothing, three distractors."""
    place = tmp_path_factory.mktemp("material")
    sets = [make_set(place / "first", range(5), range(50, 52)), make_set(place / "second", range(10, 15))]
    for seed in range(20, 23):
        write(place / "others" / f"{seed}.png", drawn(seed))
    return gather([read_set(s) for s in sets], [place / "others"])


@pytest.fixture(scope="session")
def finished(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every method of the table."""
    out = tmp_path_factory.mktemp("finished")
    compare(out, material, [m.name for m in METHODS], RunSettings(ceiling_queries=4))
    return out


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """OUT with its set, `tiny`, beside it."""
    return make_run(tmp_path)


@pytest.fixture(scope="session")
def scored_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with results.json and report.html, for tests that change nothing."""
    out = make_run(tmp_path_factory.mktemp("scored"))
    score(out)
    write_report(out)
    return out


@pytest.fixture
def edit_run(run_folder: Path) -> Callable[..., None]:
    """Changes keys of run.json."""

    def edit(**changes: object) -> None:
        run = json.loads((run_folder / "run.json").read_text())
        (run_folder / "run.json").write_text(json.dumps({**run, **changes}))

    return edit
