"""A run folder becomes figures, all worked by hand from six photos."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.compare.score.figures import FIGURES
from benchmarks.compare.score.results import score
from engine.errors import ResearchError
from tests.support.made_run import of, scored


class TestByHand:
    def test_obverse(self, scored_folder: Path) -> None:
        """qa1 right; qa2 wrong; qb answered with what is visible too, neither right nor wrong; qc missed; the hard
        negative answered."""
        found = of(scored(scored_folder), "obverse")
        assert [found[k] for k in ("photos", "positives", "negatives_easy", "negatives_hard", "missing")] == [
            6,
            4,
            1,
            1,
            0,
        ]
        assert found["counts"] == {"right": 1, "wrong": 1, "false_accepts_easy": 0, "false_accepts_hard": 1}
        figures = found["figures"]
        assert figures["recall_at_1"] == 0.25
        assert figures["wrong"] == 0.25
        assert figures["false_accepts_easy"] == 0
        assert figures["false_accepts_hard"] == 1
        assert figures["ranked_first"] == 0.5, "qb's right picture stands first once what is visible too is removed"
        assert figures["ranked_10"] == 0.75
        assert [figures[f"shortlist_{k}"] for k in (1, 10, 100, 500, 1500)] == [0.5, 0.75, 0.75, 1, 1]
        # Pooled: qa1 99 right, qb 80 right, hard 70 wrong, qa2 60 wrong, easy 5 wrong.
        assert figures["micro_ap"] == pytest.approx((1 + 1) / 4)
        assert figures["recall_at_p90"] == 0.5
        assert figures["ms_p50"] == 27

    def test_hash(self, scored_folder: Path) -> None:
        """No threshold, so no answers; the tie of qa1 counts as wrong."""
        found = of(scored(scored_folder), "hash")
        assert found["counts"] is None
        figures = found["figures"]
        assert figures["recall_at_1"] is figures["wrong"] is figures["false_accepts_hard"] is None
        assert figures["ranked_first"] == 0.75
        assert figures["micro_ap"] == pytest.approx((1 + 1 + 3 / 4) / 4)
        assert figures["calibration_error"] is figures["corner_median"] is None

    def test_pairs(self, scored_folder: Path) -> None:
        """hash: four right pairs, 80 others; none of these but that of qa1 scores above 2, so that at 1 % (0
        pairs) those with 9 and 8 count, and the tie at 7 does not."""
        assert of(scored(scored_folder), "hash")["figures"]["tpr_at_fpr_1"] == 0.5

    def test_calibration(self, scored_folder: Path) -> None:
        """First pictures: 99 right, 80 right, 70 wrong, 60 wrong, 5 wrong."""
        found = of(scored(scored_folder), "obverse")
        assert found["figures"]["calibration_error"] == pytest.approx((0.01 + 0.2 + 0.7 + 0.6 + 0.05) / 5)
        assert found["reliability"] == [[1, 0.05, 0], [1, 0.6, 0], [1, 0.7, 0], [1, 0.8, 1], [1, 0.99, 1]]

    def test_unverified_pictures_claim_nothing(self, run_folder: Path) -> None:
        """A first picture below 0 is one of probability 0; one above 100 is no match ratio."""
        text = (run_folder / "predictions.csv").read_text()
        (run_folder / "predictions.csv").write_text(text.replace("d.png,5.0,0", "d.png,-0.7,0"))
        assert of(score(run_folder), "obverse")["reliability"][0] == [1, 0, 0]
        (run_folder / "predictions.csv").write_text(text.replace("a.png,99.0,1", "a.png,199.0,1"))
        with pytest.raises(ResearchError, match="between 0 and 1"):
            score(run_folder)

    def test_corners(self, scored_folder: Path) -> None:
        """qa1: off by (3, 4); qa2: truth known, no homography found."""
        found = of(scored(scored_folder), "obverse")
        assert found["corners_known"] == 2
        assert [found["figures"][f"corner_within_{p}"] for p in (3, 5, 10)] == [0, 0, 0.5]
        assert found["figures"]["corner_median"] == pytest.approx(5)

    def test_all_is_the_one_set(self, scored_folder: Path) -> None:
        results = scored(scored_folder)
        assert of(results, "hash", "all")["figures"] == of(results, "hash")["figures"]

    def test_intervals(self, scored_folder: Path) -> None:
        """Around the figure, for every figure that there is; three objects of positives are few."""
        found = of(scored(scored_folder), "obverse")
        for figure in FIGURES:
            value, (low, high) = found["figures"][figure.key], found["intervals"][figure.key]
            if value is not None and low is not None and high is not None:
                assert low <= value <= high, figure.key
        assert found["intervals"]["ranked_first"] == [0, 1]


class TestFolder:
    def test_written(self, run_folder: Path) -> None:
        """results.json is what is returned, with the facts of the run; the same again the second time."""
        results = score(run_folder)
        text = (run_folder / "results.json").read_text()
        assert json.loads(text) == results
        assert results["commit"] == "0" * 40
        score(run_folder)
        assert (run_folder / "results.json").read_text() == text

    def test_little_there(self, run_folder: Path) -> None:
        """Predictions alone suffice."""
        for name in ("shortlist.csv", "timings.csv", "geometry.jsonl", "stress.csv", "growth.csv"):
            (run_folder / name).unlink()
        figures = of(score(run_folder), "obverse")["figures"]
        assert figures["recall_at_1"] == 0.25
        assert figures["shortlist_1"] is figures["corner_median"] is None

    def test_unreadable_photos_do_not_count(self, run_folder: Path, edit_run: Callable[..., None]) -> None:
        queries = run_folder.parent / "tiny" / "queries"
        edit_run(refused={str(queries / "qc.png"): "not an image"})
        assert of(score(run_folder), "obverse")["positives"] == 3

    def test_no_predictions(self, run_folder: Path) -> None:
        (run_folder / "predictions.csv").write_text("")
        results = score(run_folder)
        assert (results["methods"], results["pairs"], results["baseline"]) == ([], [], None)
