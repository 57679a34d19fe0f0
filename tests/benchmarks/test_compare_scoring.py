"""A run folder becomes figures: all worked by hand from six photos, and refusals of what contradicts itself."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.compare.files import Prediction, append_rows, read_rows, write_rows
from benchmarks.compare.score.figures import FIGURES
from benchmarks.compare.score.homographies import picture_size, read_homographies
from benchmarks.compare.score.metrics import corner_error
from benchmarks.compare.score.results import score
from engine.errors import ResearchError


def of(results: dict[str, Any], method: str, set_name: str = "tiny") -> dict[str, Any]:
    row = next(m for m in results["methods"] if m["name"] == method)
    found: dict[str, Any] = row["all"] if set_name == "all" else row["sets"][set_name]
    return found


def foreign(rows: list[tuple[str, int, str, float, bool]], method: str = "theirs") -> list[Prediction]:
    return [Prediction(method, "tiny", q, rank, ref, s, accepted, math.nan) for q, rank, ref, s, accepted in rows]


def scored(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


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

    def test_missing_and_malformed(self, run_folder: Path) -> None:
        (run_folder / "run.json").write_text("{}")
        with pytest.raises(ResearchError, match=r"run\.json: not a run"):
            score(run_folder)
        (run_folder / "run.json").unlink()
        with pytest.raises(FileNotFoundError, match="obverse compare"):
            score(run_folder)

    def test_malformed_homography(self, run_folder: Path) -> None:
        (run_folder.parent / "tiny" / "homographies.csv").write_text("query,ref,h11\nqa1.png,a.png,1\n")
        with pytest.raises(ResearchError, match=r"homographies\.csv, line 2"):
            score(run_folder)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["h_graf", "h_boat", "h_boston", "h_adam"])
def test_direction_of_the_shared_homographies(name: str, shared_data: Path) -> None:
    """As read, they map the reference's pixels to the photo's: SIFT's own homography meets them within a few
    pixels. As the file has them they do not, in neither direction."""
    folder = shared_data / "eval" / "planar_pairs"
    truth = read_homographies(folder)
    assert len(truth) == 14
    (query, ref), H = next((names, H) for names, H in truth.items() if names[1] == f"{name}.jpg")
    picture, photo = (
        cv2.imread(str(folder / part / file), cv2.IMREAD_GRAYSCALE)
        for part, file in (("refs", ref), ("queries", query))
    )
    assert picture is not None
    assert photo is not None
    sift = cv2.SIFT_create(4000)
    (kp, dp), (kq, dq) = (sift.detectAndCompute(image, None) for image in (picture, photo))
    pairs = [m for m, n in cv2.BFMatcher().knnMatch(dp, dq, k=2) if m.distance < 0.8 * n.distance]
    a = np.array([kp[m.queryIdx].pt for m in pairs])
    b = np.array([kq[m.trainIdx].pt for m in pairs])
    cv2.setRNGSeed(0)
    found = cv2.findHomography(a, b, cv2.RANSAC, 3)[0]
    size = picture_size(folder / "refs" / ref)
    assert corner_error(found, H, size) < 10
    with (folder / "homographies.csv").open() as file:
        row = next(r for r in csv.DictReader(file) if r["ref"] == ref)
    raw = np.array([[float(row[f"h{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
    if photo.shape != picture.shape:
        assert min(corner_error(found, M, size) for M in (raw, np.linalg.inv(raw))) > 30
