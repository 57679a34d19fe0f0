"""Methods beside the baseline: paired tests and losses, worked by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.compare.files import Prediction, read_rows, write_rows
from benchmarks.compare.score.results import score
from tests.support.made_run import of, scored


class TestComparison:
    def test_pairs(self, scored_folder: Path) -> None:
        """hash ranks qa2 and qc first, obverse qa1; two against one is no difference."""
        pair = next(p for p in scored(scored_folder)["pairs"] if p["set"] == "tiny")
        assert pair["method"] == "hash"
        assert pair["answered"] is None
        first = pair["ranked_first"]
        assert (first["only_theirs"], first["only_ours"], first["p"]) == (2, 1, 1)
        assert first["difference"] == 0.25
        assert first["interval"][0] <= 0.25 <= first["interval"][1]

    def test_losses(self, scored_folder: Path) -> None:
        """Every figure in which hash is better, its costs, and the factor of the stress test."""
        losses = {(x["set"], x["figure"]): x for x in scored(scored_folder)["losses"]}
        assert losses["tiny", "ranked_first"]["difference"] == 0.25
        assert ("tiny", "wrong") not in losses, "hash gives no answers"
        assert losses["", "bytes_per_picture"]["theirs"] == 8
        assert losses["", "adds_per_second"]["theirs"] == 900
        assert losses["stress: blur", "ranked_first"]["difference"] == pytest.approx(0.05)
        assert ("stress: tilt", "ranked_first") not in losses

    def test_sampled(self, run_folder: Path, edit_run: Callable[..., None]) -> None:
        """A ceiling is judged, and compared, on its own photos only, and that is said."""
        run = json.loads((run_folder / "run.json").read_text())
        run["methods"][1]["sample"] = 2
        edit_run(methods=run["methods"])
        kept = [
            r for r in read_rows(run_folder / "predictions.csv", Prediction) if r.method != "hash" or r.query < "qb"
        ]
        write_rows(run_folder / "predictions.csv", [r for r in kept if r.query != "hard.png" or r.method != "hash"])
        results = score(run_folder)
        assert of(results, "hash")["photos"] == 3
        assert of(results, "hash")["missing"] == 0
        pair = next(p for p in results["pairs"] if p["set"] == "tiny")
        assert (pair["photos"], pair["sampled"]) == (3, True)
        assert pair["ranked_first"]["only_ours"] == 1
