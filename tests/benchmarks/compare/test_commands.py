"""`obverse score` and `obverse stress`, as from a shell."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks.compare.files import Prediction, Stressed, read_rows, write_rows
from benchmarks.compare.stress_set import FACTORS
from tests.support.commands import run


class TestScore:
    def test_beside_others(self, run_folder: Path) -> None:
        """A table, the report's path, and in the report the predictions that were added."""
        theirs = run_folder / "theirs.csv"
        write_rows(theirs, [Prediction("[bold]theirs", "tiny", "qa1.png", 1, "a.png", 0.5, True, math.nan)])
        done = run("score", run_folder, "--predictions", theirs)
        assert done.status == 0, done.err
        lines = done.out.splitlines()
        assert lines[-1] == str(run_folder / "report.html")
        row = next(line for line in lines if "[bold]theirs" in line)
        assert "0.250" in row
        assert "[bold]theirs" in (run_folder / "report.html").read_text()

    def test_json(self, run_folder: Path) -> None:
        done = run("score", run_folder, "--json")
        assert json.loads(done.out) == json.loads((run_folder / "results.json").read_text())

    @pytest.mark.parametrize(
        ("file", "content", "reason"),
        [
            ("predictions.csv", "a,b\n", "predictions.csv, line 1: the header"),
            ("run.json", "[]", "run.json: not a run"),
        ],
    )
    def test_malformed(self, file: str, content: str, reason: str, run_folder: Path) -> None:
        """One line that names the file, and status 1."""
        (run_folder / file).write_text(content)
        done = run("score", run_folder)
        assert done.status == 1
        assert reason in done.err
        assert len(done.err.strip().splitlines()) == 1

    def test_no_run(self, tmp_path: Path) -> None:
        done = run("score", tmp_path)
        assert done.status == 1
        assert "obverse compare" in done.err


class TestStress:
    def test_one_picture(self, run_folder: Path, tmp_path: Path) -> None:
        """Every factor at every strength, for each method; the report draws the curves; a second run adds nothing."""
        out = tmp_path / "stress"
        arguments = ("stress", run_folder.parent / "tiny", "--out", out, "--methods", "phash,hog", "--photos", 1)
        done = run(*arguments)
        assert done.status == 0, done.err
        assert done.out.splitlines()[-1] == str(out / "report.html")
        rows = read_rows(out / "stress.csv", Stressed)
        assert len(rows) == 2 * sum(1 + len(f.strengths) for f in FACTORS)
        assert {r.photos for r in rows} == {1}
        assert {r.method for r in rows} == {"phash", "hog"}
        assert (out / "plots" / "robustness.svg").is_file()
        predictions = (out / "predictions.csv").read_bytes()
        assert run(*arguments).status == 0
        assert (out / "predictions.csv").read_bytes() == predictions

    def test_refused(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        done = run("stress", tmp_path / "empty", "--out", tmp_path / "out", "--methods", "phash")
        assert (done.status, "no picture that can be read" in done.err) == (1, True)
        done = run("stress", tmp_path / "empty", "--out", tmp_path / "out", "--methods", "phush")
        assert (done.status, "did you mean 'phash'" in done.err) == (1, True)
