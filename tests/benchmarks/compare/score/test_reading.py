"""Predictions of others beside a run's own, and refusals of what contradicts itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare.files import Prediction, append_rows, write_rows
from benchmarks.compare.score.results import score
from engine.errors import ResearchError


def of(results: dict[str, Any], method: str, set_name: str = "tiny") -> dict[str, Any]:
    row = next(m for m in results["methods"] if m["name"] == method)
    found: dict[str, Any] = row["all"] if set_name == "all" else row["sets"][set_name]
    return found


def foreign(rows: list[tuple[str, int, str, float, bool]], method: str = "theirs") -> list[Prediction]:
    return [Prediction(method, "tiny", q, rank, ref, s, accepted, math.nan) for q, rank, ref, s, accepted in rows]


class TestForeign:
    def test_beside_ours(self, run_folder: Path) -> None:
        """Anyone's predictions are scored alike; photos they leave out are misses."""
        write_rows(
            run_folder / "x.csv", foreign([("qa1.png", 1, "a.png", 0.9, True), ("easy.png", 1, "a.png", 0.1, False)])
        )
        results = score(run_folder, [run_folder / "x.csv"])
        found = of(results, "theirs")
        assert found["missing"] == 4
        assert found["figures"]["recall_at_1"] == 0.25
        assert found["figures"]["ms_p50"] is None
        assert found["figures"]["shortlist_1"] is None
        assert results["predictions"] == ["predictions.csv", "x.csv"]

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (Prediction("obverse", "tiny", "qa1.png", 1, "a.png", 1, False, 1), "there already"),
            (Prediction("x", "other", "qa1.png", 1, "a.png", 1, False, 1), "names the set 'other'"),
            (Prediction("x", "tiny", "nope.png", 1, "a.png", 1, False, 1), "names the photo 'nope.png'"),
            (Prediction("x", "tiny", "qb.png", 2, "d.png", 0.5, False, 1), "stands twice"),
            (Prediction("x", "tiny", "qb.png", 1, "d.png", 0.5, False, 1), "stands twice"),
            (Prediction("x", "tiny", "qb.png", 2, "b.png", 9, False, 1), "rises"),
            (Prediction("x", "tiny", "qb.png", 2, "b.png", 0.1, True, 1), "only the row of rank 1"),
        ],
    )
    def test_refused(self, row: Prediction, reason: str, run_folder: Path) -> None:
        write_rows(run_folder / "x.csv", [Prediction("x", "tiny", "qb.png", 1, "d.png", 0.5, False, 1)])
        append_rows(run_folder / "x.csv", [row])
        with pytest.raises(ResearchError, match=reason):
            score(run_folder, [run_folder / "x.csv"])


class TestFolder:
    def test_missing_and_malformed(self, run_folder: Path) -> None:
        (run_folder / "run.json").write_text("{}")
        with pytest.raises(ResearchError, match=r"run\.json: not a run"):
            score(run_folder)
        (run_folder / "run.json").unlink()
        with pytest.raises(FileNotFoundError, match="obverse compare"):
            score(run_folder)
