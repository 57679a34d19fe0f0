"""What methods made of simulated photos."""

from __future__ import annotations

from pathlib import Path

from benchmarks.compare.files import Stressed
from benchmarks.compare.score.reading import judge_all, read_run
from benchmarks.compare.score.stress import stress_rows
from benchmarks.compare.stress_set import FACTORS


class TestRows:
    def test_rows(self, run_folder: Path) -> None:
        """Shares of each folder's photos; the plain view is every factor's first strength."""
        tiny = run_folder.parent / "tiny"
        names = {"qa1.png": "plain/0000.jpg", "qa2.png": "0/20/0000.jpg", "qc.png": "0/20/0001.jpg"}
        for file in (tiny / "truth.csv", run_folder / "predictions.csv"):
            text = file.read_text()
            for old, new in names.items():
                text = text.replace(old, new)
            file.write_text(text)
        rows = stress_rows(judge_all(run_folder, read_run(run_folder)))
        ours = [r for r in rows if r.method == "obverse"]
        assert [r.factor for r in ours if r.strength == f_plain(r.factor)] == [f.name for f in FACTORS]
        assert ours[0] == Stressed("obverse", FACTORS[0].name, 0.0, 1, 1.0, 1.0, 0.0)
        assert ours[1] == Stressed("obverse", FACTORS[0].name, 20.0, 2, 0.0, 0.0, 0.5)


def f_plain(name: str) -> float:
    return float(next(f.plain for f in FACTORS if f.name == name))
