"""A comparison's run: what every method answers, how a run goes on after an interruption, which photos it takes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare.files import Prediction, read_rows
from benchmarks.compare.material import Material, gather
from benchmarks.compare.methods import METHODS, Verifier, find_method
from benchmarks.compare.parts.local_features import Classical
from benchmarks.compare.run.pipeline import Pipeline
from benchmarks.compare.run.runner import photos_of
from benchmarks.compare.settings import RunSettings
from benchmarks.sets import read_set
from tests.support.comparisons import compare, rows_without_times
from tests.support.drawn_sets import make_set, write


class TestEveryMethod:
    @pytest.mark.parametrize("name", [m.name for m in METHODS])
    def test_answers(self, finished: Path, material: Material, name: str) -> None:
        """Each method of the table ranks pictures for each photo that it is asked, surest first."""
        photos = photos_of(find_method(name), material, RunSettings(ceiling_queries=4))
        rows = [r for r in read_rows(finished / "predictions.csv", Prediction) if r.method == name]
        by_photo = {(p.set, p.query): [r for r in rows if (r.set, r.query) == (p.set, p.query)] for p in photos}
        assert len(rows) == sum(map(len, by_photo.values()))
        for mine in by_photo.values():
            assert [r.rank for r in mine] == list(range(1, len(mine) + 1))
            assert len({r.ref for r in mine}) == len(mine)
            assert all(a.score >= b.score for a, b in itertools.pairwise(mine))
            assert not any(r.accepted for r in mine[1:])
            assert mine[0].ms > 0

    @pytest.mark.parametrize("name", [m.name for m in METHODS if isinstance(m.verifier, Verifier) or m.ranking])
    def test_finds(self, finished: Path, name: str) -> None:
        """Easy photos of drawn pictures: whatever looks at keypoints finds them."""
        rows = [r for r in read_rows(finished / "predictions.csv", Prediction) if r.method == name and r.rank == 1]
        shown = [r for r in rows if r.query.startswith("q")]
        assert shown
        assert all(r.ref == r.query.replace("q", "r") for r in shown)

    def test_negatives(self, finished: Path) -> None:
        """The default gives no answer to a photo of nothing."""
        rows = read_rows(finished / "predictions.csv", Prediction)
        assert not any(r.accepted for r in rows if r.method == "obverse" and r.query.startswith("n"))


class TestResuming:
    def test_interrupted(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stopped within a photo's rows, it goes on and ends with the rows of a run that was never stopped."""
        compare(tmp_path / "whole", material)
        answer, left = Pipeline.answer, [17]

        def fails_at_last(self: Pipeline, photo: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return answer(self, photo)  # type: ignore[arg-type]

        monkeypatch.setattr(Pipeline, "answer", fails_at_last)
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path / "stopped", material)
        monkeypatch.undo()
        with (tmp_path / "stopped" / "predictions.csv").open("a") as file:
            file.write("global,first,q4.png,1,r4.png,0.5,0,3.0\nglobal,first,q4.p")
        with (tmp_path / "stopped" / "timings.csv").open("a") as file:
            file.write("global,first,q4.png,shortl")
        compare(tmp_path / "stopped", material)
        assert rows_without_times(tmp_path / "stopped") == rows_without_times(tmp_path / "whole")

    def test_nothing_twice(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second run describes nothing and asks nothing; a new method uses what is kept."""
        compare(tmp_path, material, ["orb-vlad"])
        before = (tmp_path / "predictions.csv").read_bytes()
        calls = []
        describe = Classical.describe
        monkeypatch.setattr(Classical, "describe", lambda *a, **k: calls.append(1) or describe(*a, **k))
        compare(tmp_path, material, ["orb-vlad"])
        assert (tmp_path / "predictions.csv").read_bytes() == before
        compare(tmp_path, material, ["orb-vlad", "orb-words"])
        assert calls == []
        assert [e["name"] for e in json.loads((tmp_path / "run.json").read_text())["methods"]] == [
            "orb-vlad",
            "orb-words",
        ]


class TestSampling:
    def test_ceilings(self, material: Material) -> None:
        """The sets take turns; the seed decides; methods that are no ceilings see all."""
        ceiling = find_method("exhaustive-orb")
        chosen = photos_of(ceiling, material, RunSettings(ceiling_queries=6))
        assert [sum(p.set == name for p in chosen) for name in ("first", "second")] == [3, 3]
        assert chosen == photos_of(ceiling, material, RunSettings(ceiling_queries=6))
        assert chosen != photos_of(ceiling, material, RunSettings(ceiling_queries=6, seed=3))
        assert photos_of(ceiling, material, RunSettings(ceiling_queries=None)) == material.photos
        assert photos_of(find_method("global"), material, RunSettings(ceiling_queries=1)) == material.photos


class TestBadInput:
    def test_featureless_photo(self, tmp_path: Path) -> None:
        """Every method survives a photo and a picture of one grey; the default finds nothing in it."""
        folder = make_set(tmp_path / "plain", range(3))
        write(folder / "queries" / "flat.png", np.full((300, 300, 3), 128, np.uint8))
        write(folder / "refs" / "flat.png", np.full((300, 300, 3), 128, np.uint8))
        with (folder / "truth.csv").open("a") as file:
            file.write("flat.png,\n")
        compare(tmp_path / "out", gather([read_set(folder)], []), [m.name for m in METHODS])
        rows = [r for r in read_rows(tmp_path / "out" / "predictions.csv", Prediction) if r.query == "flat.png"]
        assert {r.method for r in rows} == {m.name for m in METHODS}
        assert [(r.rank, r.ref, r.score) for r in rows if r.method == "obverse"] == [(0, "", 0.0)]
