"""The plots of a report."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from benchmarks.compare.score.results import score
from benchmarks.compare.show.plots import draw_plots


class TestPlots:
    def test_all(self, run_folder: Path) -> None:
        """Each plot with data is an SVG and a PNG, drawn the same twice; the others say why there is none."""
        results = score(run_folder)
        drawn = {d.name: d for d in draw_plots(run_folder, results)}
        assert [name for name, d in drawn.items() if d.svg is None] == ["verifiers"]
        first = {d.name: d.svg.read_bytes() for d in drawn.values() if d.svg}
        assert all(svg.startswith(b"<?xml") and b"</svg>" in svg for svg in first.values())
        assert not [name for name, svg in first.items() if b"mathdefault" in svg], "raw mathematics on an axis"
        for name in first:
            image = cv2.imread(str(run_folder / "plots" / f"{name}.png"))
            assert image is not None
            assert image.std() > 5
        assert {d.name: d.svg.read_bytes() for d in draw_plots(run_folder, results) if d.svg} == first

    def test_stale_ones_go(self, run_folder: Path) -> None:
        """A plot that has no data any more does not stay."""
        results = score(run_folder)
        draw_plots(run_folder, results)
        (run_folder / "growth.csv").unlink()
        draw_plots(run_folder, results)
        assert not list((run_folder / "plots").glob("growth.*"))

    def test_grid_of_verifiers(self, scored_folder: Path, tmp_path: Path) -> None:
        """Four combinations of features and estimators make a heat map."""
        results = json.loads((scored_folder / "results.json").read_text())
        cells = [(f, e) for f in ("orb", "sift") for e in ("ransac", "usac_magsac")]
        results["methods"] = [
            {**results["methods"][0], "name": f"{f}-{e}", "shortlists": ["global"],
             "verifier": {"features": f, "estimator": e, "ratio": 0.8, "mutual": True}}
            for f, e in cells
        ]  # fmt: skip
        drawn = {d.name: d for d in draw_plots(tmp_path, results)}
        assert drawn["verifiers"].svg is not None
        text = drawn["verifiers"].svg.read_text()
        assert "global, sift" in text
        assert "magsac" in text

    def test_names_are_not_mathematics(self, scored_folder: Path, tmp_path: Path) -> None:
        results = json.loads((scored_folder / "results.json").read_text())
        results["methods"][1]["name"] = "_$\\frac$ <x>"
        drawn = draw_plots(tmp_path, results)
        assert all(d.svg is not None for d in drawn if d.name == "recall_at_k")
