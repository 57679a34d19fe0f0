"""Recall of the lists by themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from drawn_sets import drawn, make_set, write

from benchmarks.lists import DEPTHS, PRESETS, lists
from benchmarks.sets import pictures_in, read_set
from engine.runtime import DEFAULT_MODEL

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A set of four pictures with their photos and one photo of nothing; eight distractors, one of them no image."""
    place = tmp_path_factory.mktemp("lists")
    for seed in range(50, 57):
        write(place / "others" / f"{seed}.png", drawn(seed))
    (place / "others" / "broken.png").write_bytes(b"no image")
    return make_set(place / "cartons", range(4), negatives=range(20, 21)), place / "others"


class TestLists:
    def test_finds_what_is_plain(self, folders: tuple[Path, Path]) -> None:
        """Every list finds warped drawings among eleven pictures; what cannot be read is left out, photos of
        nothing are not counted."""
        found = lists([read_set(folders[0])], pictures_in(folders[1]), DEFAULT_MODEL)
        assert (found["pictures"], found["photos"]) == (11, 4)
        assert set(found["lists"]) == {*PRESETS, "global descriptor"}
        for row in found["lists"].values():
            assert row["all"] == row["sets"]["cartons"]
            assert row["all"] == {**row["all"], "1": 1.0, "1500": 1.0}
            assert set(row["all"]) == {str(d) for d in DEPTHS}
            assert row["bytes"] > 0

    def test_a_reference_that_is_refused_is_a_miss(self, tmp_path: Path) -> None:
        """A photo whose picture could not be stored counts, and counts as not found."""
        folder = make_set(tmp_path / "set", range(2))
        (folder / "refs" / "r0.png").write_bytes(b"no image")
        found = lists([read_set(folder)], [], DEFAULT_MODEL)
        assert found["photos"] == 2
        assert {row["all"]["10"] for row in found["lists"].values()} == {0.5}

    def test_command(self, folders: tuple[Path, Path], tmp_path: Path) -> None:
        """The command writes a row for each model."""
        words = ["-m", "benchmarks.lists", str(folders[0]), "--distractors", str(folders[1]), "--limit", "2"]
        models = ["--model", str(ROOT / "models")] * 2
        subprocess.run([sys.executable, *words, *models, "--json", str(tmp_path / "l.json")], cwd=ROOT, check=True)
        found = json.loads((tmp_path / "l.json").read_text())
        assert len(found) == 2
        assert found[0]["pictures"] == 6
        assert found[0]["lists"].keys() == found[1]["lists"].keys()
