"""Recall of the lists by themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.list_recall import DEPTHS, list_recall
from benchmarks.accuracy.lists import PRESETS, measure_baseline, measure_lists
from benchmarks.sets import read_set
from engine.image_files import list_pictures
from engine.settings import DEFAULT_MODEL
from tests.support.drawn_sets import drawn, make_set, write

ROOT = Path(__file__).resolve().parents[3]


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
        found = measure_lists([read_set(folders[0])], list_pictures(folders[1]), DEFAULT_MODEL)
        assert (found["pictures"], found["photos"]) == (11, 4)
        windows = "global descriptor, also of nine windows"
        assert set(found["lists"]) == {*PRESETS, "global descriptor", windows}
        for row in found["lists"].values():
            assert row["all"] == row["sets"]["cartons"]
            assert row["all"] == {**row["all"], "1": 1.0, "1500": 1.0}
            assert set(row["all"]) == {str(d) for d in DEPTHS}
            assert row["bytes"] > 0

    @pytest.mark.parametrize("name", ["phash", "orb_vlad"])
    def test_baselines(self, folders: tuple[Path, Path], name: str) -> None:
        """A list of the comparison is judged in the same way, on the same pictures."""
        found = measure_baseline([read_set(folders[0])], list_pictures(folders[1]), name)
        assert (found["model"], found["pictures"], found["photos"]) == (name, 11, 4)
        assert found["describe_ms"] > 0
        (row,) = found["lists"].values()
        assert row["all"] == row["sets"]["cartons"]
        assert row["all"]["100"] == 1.0
        assert row["bytes"] == (8 if name == "phash" else 4 * 10)  # a PCA of eleven pictures has ten directions

    def test_recall_by_hand(self) -> None:
        """Ties count against the list, the best of several right pictures counts, and one that is not named is
        missed."""
        answers = {
            "tie": ([0, 1, 2], [5.0, 5.0, 1.0]),
            "second": ([0, 3, 1], [5.0, 4.0, 3.0]),
            "missed": ([0, 2], [5.0, 4.0]),
        }
        photos = [("a", frozenset({1, 3}), key) for key in answers]
        found = list_recall(photos, lambda key: tuple(map(np.array, answers[key])))
        assert found["all"] == {"1": 0.0, "10": 0.6667, "100": 0.6667, "500": 0.6667, "1500": 0.6667}

    def test_a_reference_that_is_refused_is_a_miss(self, tmp_path: Path) -> None:
        """A photo whose picture could not be stored counts, and counts as not found."""
        folder = make_set(tmp_path / "set", range(2))
        (folder / "refs" / "r0.png").write_bytes(b"no image")
        found = measure_lists([read_set(folder)], [], DEFAULT_MODEL)
        assert found["photos"] == 2
        assert {row["all"]["10"] for row in found["lists"].values()} == {0.5}

    def test_command(self, folders: tuple[Path, Path], tmp_path: Path) -> None:
        """The command writes a row for each model."""
        words = ["-m", "benchmarks.accuracy.lists", str(folders[0]), "--distractors", str(folders[1]), "--limit", "2"]
        models = ["--model", str(ROOT / "models")] * 2
        subprocess.run([sys.executable, *words, *models, "--json", str(tmp_path / "l.json")], cwd=ROOT, check=True)
        found = json.loads((tmp_path / "l.json").read_text())
        assert len(found) == 2
        assert all(row["describe_ms"] > 0 for row in found)
        assert found[0]["pictures"] == 6
        assert found[0]["lists"].keys() == found[1]["lists"].keys()
