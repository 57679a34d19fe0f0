"""Evaluation sets, the fit of the match ratio, and the figures that are reported, on cases worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.calibrate import (
    PENALTY,
    choose_threshold,
    fit,
    fit_logistic,
    recall_curve,
    scored,
    write_calibration,
)
from benchmarks.accuracy.end_to_end import figures, report
from benchmarks.accuracy.outcomes import Outcome, answer, answer_rows, collect, read_outcomes, write_outcomes
from benchmarks.accuracy.stage_recall import recall
from benchmarks.sets import CHANNEL, fill, identifier_of, pictures_in, read_set, side_of
from engine.catalogue.rules import IDENTIFIER
from engine.errors import ResearchError
from engine.judge.calibration import ANSWER_FIGURES, FULL_FIGURES, Calibration, Logistic, load_calibration
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.drawn_sets import drawn, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of three references and five queries: two of a.jpg, one of b.png, an easy and a hard negative."""
    place = tmp_path / "cartons"
    for seed, name in enumerate(("a.jpg", "b.png", "deep/c.jpg")):
        write(place / "refs" / name, drawn(seed))
    tilt = np.array([[0.9, 0.1, 30], [-0.05, 0.95, 40], [1e-4, 0, 1]])
    for query, seed in (("q1.jpg", 0), ("q2.jpg", 0), ("q3.jpg", 1), ("easy.jpg", 77), ("hard.jpg", 78)):
        write(place / "queries" / query, cv2.warpPerspective(drawn(seed), tilt, (400, 500), borderValue=(90,) * 3))
    (place / "truth.csv").write_text(
        "query,ref\nq1.jpg,a.jpg\nq2.jpg,a.jpg\nq2.jpg,deep/c.jpg\nq3.jpg,b.png\neasy.jpg,\nhard.jpg,\n"
    )
    return place


class TestReadSet:
    def test_truth(self, folder: Path) -> None:
        """Several right references, one, or none."""
        found = read_set(folder)
        assert found.name == "cartons"
        assert found.truth == {
            "q1.jpg": {"a.jpg"},
            "q2.jpg": {"a.jpg", "deep/c.jpg"},
            "q3.jpg": {"b.png"},
            "easy.jpg": set(),
            "hard.jpg": set(),
        }
        assert (found.hard, found.also_visible) == (frozenset(), {})

    def test_optional_files(self, folder: Path) -> None:
        """Hard negatives and what else is visible are read where there are files of them."""
        (folder / "hard_negatives.csv").write_text("query,why\nhard.jpg,same logo\n")
        (folder / "also_visible.csv").write_text("query,ref\nq1.jpg,b.png\n")
        found = read_set(folder)
        assert found.hard == {"hard.jpg"}
        assert found.also_visible == {"q1.jpg": {"b.png"}}

    def test_references(self, folder: Path) -> None:
        """References are all pictures below refs, in order; other files are not."""
        (folder / "refs" / "notes.txt").write_text("no picture")
        names = [str(p.relative_to(folder / "refs")) for p in read_set(folder).references()]
        assert names == ["a.jpg", "b.png", "deep/c.jpg"]
        assert pictures_in(folder / "nowhere") == []

    def test_missing(self, tmp_path: Path) -> None:
        """Without truth there is no set."""
        with pytest.raises(FileNotFoundError):
            read_set(tmp_path)

    def test_identifiers(self, folder: Path) -> None:
        """Every name has a legal identifier of its own, which another set does not share."""
        names = ["a.jpg", "b.png", "Ünïcode & spaces.jpg", "x" * 300]
        found = {read_set(folder).identifier(n) for n in names} | {identifier_of("other/a.jpg")}
        assert len(found) == 5
        assert all(IDENTIFIER.fullmatch(i) for i in found)


class TestSideOf:
    def test_by_the_reference(self) -> None:
        """All photos of one object are on one side, whatever their names."""
        assert len({side_of(f"q{n}", frozenset({"a.jpg"})) for n in range(20)}) == 1
        assert side_of("q", frozenset({"a.jpg", "b.jpg"})) == side_of("p", frozenset({"b.jpg", "a.jpg"}))

    def test_negatives_by_the_query(self) -> None:
        """Negatives are divided by their own names."""
        assert {side_of(f"q{n}", frozenset()) for n in range(20)} == {"fit", "report"}

    def test_halves(self) -> None:
        """Both sides get about as many objects."""
        share = np.mean([side_of("q", frozenset({f"{n}.jpg"})) == "fit" for n in range(1000)])
        assert 0.45 < share < 0.55


def outcome(
    *candidates: tuple[str, float],
    right: tuple[str, ...] = (),
    allowed: tuple[str, ...] = (),
    hard: bool = False,
    twins: list[list[int]] | None = None,
    milliseconds: float = 10.0,
    name: str = "s",
) -> Outcome:
    """A photo whose candidates have nothing but a number of inliers."""
    return Outcome(
        name,
        "q",
        list(right),
        list(allowed),
        hard,
        "fit",
        [(identifier, {"inliers": value}) for identifier, value in candidates],
        twins or [[] for _ in candidates],
        {},
        3,
        {"decode": milliseconds / 2, "verify": milliseconds / 2},
    )


def logistic(*names: str) -> Logistic:
    return Logistic(names, np.zeros(len(names)), np.ones(len(names)), np.ones(len(names)), 0.0)


PLAIN = Calibration(logistic("inliers"), logistic("inliers"), logistic("logit"), 50.0)
"""The match ratio is the logistic function of the inliers, nothing else."""


def ratio(inliers: float) -> float:
    return float(100 / (1 + np.exp(-inliers)))


TEN = [
    outcome(("a", 5.0), right=("a",)),
    outcome(("a", 4.0), ("b", 1.0), right=("a",)),
    outcome(("b", 3.0), ("a", 2.0), right=("a",)),  # wrong
    outcome(("a", 2.5), right=("a",)),
    outcome(("b", -1.0), right=("a",)),  # wrong, but below 50
    outcome(right=("a",)),  # nothing verified
    outcome(("c", 2.2)),  # false accept
    outcome(("c", 1.5), hard=True),  # false accept on a hard negative
    outcome(),
    outcome(("v", 6.0), right=("a",), allowed=("v",)),  # visible too: neither right nor wrong
]


class TestAnswer:
    def test_best(self) -> None:
        """The candidate with the highest ratio answers."""
        best = answer(TEN[2], PLAIN)
        assert best.identifier == "b"
        assert best.match_ratio == pytest.approx(ratio(3))

    def test_nothing(self) -> None:
        """Without candidates there is no answer."""
        assert (answer(TEN[5], PLAIN).identifier, answer(TEN[5], PLAIN).match_ratio) == (None, 0)

    def test_rivals(self) -> None:
        """Each candidate's rival is the best of the others that is not the same picture."""
        photo = outcome(("a", 3.0), ("twin", 2.9), ("b", 1.0), twins=[[1], [0], []])
        rows = dict(answer_rows(photo, PLAIN))
        assert rows["a"]["margin"] == pytest.approx(2)
        assert rows["twin"]["margin"] == pytest.approx(1.9)
        assert rows["b"]["margin"] == pytest.approx(-2)
        assert all(row["rival"] == 1 for row in rows.values())

    def test_alone(self) -> None:
        """One candidate has no rival."""
        ((_, row),) = answer_rows(TEN[0], PLAIN)
        assert (row["rival"], row["margin"]) == (0, 10)

    def test_file(self, tmp_path: Path) -> None:
        """Outcomes come back from their file as they were."""
        write_outcomes(tmp_path / "o.jsonl", TEN)
        again = read_outcomes(tmp_path / "o.jsonl")
        assert [answer(o, PLAIN) for o in again] == [answer(o, PLAIN) for o in TEN]
        assert [o.right for o in again] == [o.right for o in TEN]


class TestFigures:
    def test_by_hand(self) -> None:
        """Right, wrong, and false answers above the threshold are counted apart; latency is the stages' sum."""
        found = figures(TEN, PLAIN, threshold=50)
        assert (found["queries"], found["positives"]) == (10, 7)
        assert found["recall_at_1"] == round(3 / 7, 4)
        assert (found["wrong"], found["false_accepts_easy"], found["false_accepts_hard"]) == (1, 1, 1)
        assert (found["negatives_easy"], found["negatives_hard"]) == (2, 1)
        assert (found["p50_ms"], found["p95_ms"]) == (10, 10)
        assert found["stages_ms"] == {"decode": 5, "verify": 5}

    def test_threshold(self) -> None:
        """A higher threshold has fewer of everything."""
        found = figures(TEN, PLAIN, threshold=ratio(4.5))
        assert found["recall_at_1"] == round(1 / 7, 4)
        assert (found["wrong"], found["false_accepts_easy"], found["false_accepts_hard"]) == (0, 0, 0)

    def test_none(self) -> None:
        """No photos have no figures, and are no error."""
        found = figures([], PLAIN, threshold=50)
        assert (found["queries"], found["recall_at_1"], found["p50_ms"]) == (0, None, None)

    def test_report(self) -> None:
        """Each set by itself and all together, as the issue lays it out."""
        found = report([*TEN, outcome(("a", 5.0), right=("a",), name="t")], PLAIN, threshold=50, gallery=7)
        assert set(found) >= {"gallery", "sets", "all"}
        assert found["gallery"] == 7
        assert list(found["sets"]) == ["s", "t"]
        assert found["sets"]["t"]["recall_at_1"] == 1
        assert found["all"]["queries"] == 11
        json.dumps(found)


class TestCurve:
    def test_scored(self) -> None:
        """Each photo with an answer is right, wrong or neither."""
        assert [right for _, right in scored(TEN, PLAIN)] == [True, True, False, True, False, False, False, None]

    def test_by_hand(self) -> None:
        """Recall at a share of errors: what stands before the first error too many. Of 10 photos 2 % are none."""
        curve = recall_curve(TEN, PLAIN)
        assert set(curve) == {"0.000", "0.002", "0.005", "0.010", "0.020"}
        assert set(curve.values()) == {round(2 / 7, 4)}
        hundred = TEN + [outcome(right=("a",))] * 90
        curve = recall_curve(hundred, PLAIN)
        assert curve["0.000"] == curve["0.005"] == round(2 / 97, 4)
        assert curve["0.010"] == curve["0.020"] == round(3 / 97, 4)

    def test_ties_count_against_us(self) -> None:
        """A wrong answer of the same ratio as a right one comes first."""
        photos = [outcome(("a", 1.0), right=("a",)), outcome(("b", 1.0), right=("a",))]
        assert set(recall_curve(photos, PLAIN).values()) == {0}

    def test_threshold(self) -> None:
        """The default threshold is the least with half a percent of errors at most, just above the next one."""
        hundreds = TEN + [outcome(right=("a",))] * 390  # two errors are allowed
        threshold = choose_threshold(hundreds, PLAIN)
        errors = sorted((r for r, right in scored(hundreds, PLAIN) if right is False), reverse=True)
        assert sum(e >= threshold for e in errors) == 2
        assert errors[2] < threshold <= errors[2] + 0.02

    def test_threshold_without_errors(self) -> None:
        """Where errors are too few to tell, it is 50."""
        assert choose_threshold([outcome(("a", 5.0), right=("a",))] * 50, PLAIN) == 50


def rows_of(count: int, seed: int = 0) -> tuple[list[dict[str, float]], list[bool]]:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (count, 3)) * [1, 5, 0.1] + [0, 20, -3]
    logits = 1.5 * values[:, 0] - 0.3 * (values[:, 1] - 20) + 4 * (values[:, 2] + 3)
    labels = rng.random(count) < 1 / (1 + np.exp(-logits))
    return [dict(zip("abc", map(float, row), strict=True)) for row in values], [bool(x) for x in labels]


class TestFitLogistic:
    def test_against_scikit_learn(self) -> None:
        """Weights and intercept are those of scikit-learn with the same penalty."""
        linear = pytest.importorskip(
            "sklearn.linear_model", reason="scikit-learn is not installed: pip install 'obverse[train]'"
        )
        rows, labels = rows_of(400)
        found = fit_logistic(("a", "b", "c"), rows, labels)
        values = np.array([[row[n] for n in "abc"] for row in rows])
        design = (values - values.mean(0)) / (values.std(0) + 1e-6)
        oracle = linear.LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1000).fit(design, labels)
        assert np.allclose(found.weights, oracle.coef_[0], atol=1e-3)
        assert found.intercept == pytest.approx(float(oracle.intercept_[0]), abs=1e-3)
        assert found.logit(rows[0]) == pytest.approx(float(oracle.decision_function(design[:1])[0]), abs=1e-2)

    def test_one_class(self) -> None:
        """Right and wrong cases are both needed; the error says so."""
        rows, _ = rows_of(10)
        with pytest.raises(ResearchError, match="give more photos"):
            fit_logistic(("a",), rows, [True] * 10)

    def test_separable_and_constant(self) -> None:
        """Classes that a line parts, and a figure that never changes, give finite weights."""
        rows = [{"a": float(n), "b": 7.0} for n in range(20)]
        found = fit_logistic(("a", "b"), rows, [n >= 10 for n in range(20)])
        assert np.isfinite([*found.weights, found.intercept]).all()
        assert found.logit(rows[19]) > 0 > found.logit(rows[0])

    def test_order_does_not_matter(self) -> None:
        """The same photos in another order give the same fit."""
        rows, labels = rows_of(100)
        a = fit_logistic(("a", "b", "c"), rows, labels)
        b = fit_logistic(("a", "b", "c"), rows[::-1], labels[::-1])
        assert np.allclose(a.weights, b.weights, atol=1e-3)

    def test_looks(self) -> None:
        """The same rows twice weigh as much as once where two looks are one photo, and more where they are not."""
        rows, labels = rows_of(100)
        once = fit_logistic(("a", "b", "c"), rows, labels)
        twice = fit_logistic(("a", "b", "c"), 2 * rows, 2 * labels, looks=2)
        more = fit_logistic(("a", "b", "c"), 2 * rows, 2 * labels)
        assert np.allclose(once.weights, twice.weights, atol=1e-3)
        assert np.linalg.norm(more.weights) > 1.05 * np.linalg.norm(once.weights)


def made_outcomes(count: int) -> list[Outcome]:
    """Photos with a right candidate of good figures and a wrong one of bad figures; a quarter are negatives with
    two wrong ones."""
    rng = np.random.default_rng(4)
    photos = []
    for number in range(count):
        good, bad, other = ({name: float(rng.normal(mean, 0.7)) for name in FULL_FIGURES} for mean in (1.0, -1.0, -1.0))
        found: list[tuple[str, dict[str, Any]]] = [("right", good), ("wrong", bad)]
        if number % 4 == 0:
            found = [("wrong", bad), ("other", other)]
        right = ["right"] if number % 4 else []
        photos.append(Outcome("s", f"q{number}", right, [], False, "fit", found, [[], []], {}, 3, {}))
    return photos


class TestFit:
    def test_separates(self) -> None:
        """A fit on clear cases answers them rightly."""
        photos = made_outcomes(200)
        found = fit(photos)
        assert found.answer.names == ANSWER_FIGURES
        assert figures(photos, found, threshold=found.threshold)["recall_at_1"] > 0.95
        assert figures(photos, found, threshold=found.threshold)["wrong"] <= 1
        assert recall_curve(photos, found)["0.005"] > 0.95

    def test_every_photo_seen_twice(self) -> None:
        """A second look that shows the same changes nothing."""
        photos = made_outcomes(120)
        one, other = fit(photos), fit(photos + photos)
        for part in ("pair_full", "pair_geometry", "answer"):
            assert np.allclose(getattr(one, part).weights, getattr(other, part).weights, atol=0.02)
        assert one.threshold == pytest.approx(other.threshold, abs=1)

    def test_threshold_of_other_looks(self) -> None:
        """The threshold may come from more looks than the regressions, which stay the same."""
        photos = made_outcomes(400)
        wrong = [replace(o, query=f"w{i}", right=["other"]) for i, o in enumerate(photos[1:8:2])]
        one, other = fit(photos), fit(photos, threshold_on=photos + wrong)
        assert other.threshold == choose_threshold(photos + wrong, one) > one.threshold
        assert (one.answer.weights == other.answer.weights).all()

    def test_file(self, tmp_path: Path) -> None:
        """What is written is what the engine loads, with the facts of the fit beside it."""
        found = fit(made_outcomes(60))
        write_calibration(tmp_path / "c.json", found, {"photos": 60})
        again = load_calibration(tmp_path / "c.json")
        photo = made_outcomes(1 + 1)[1]
        assert answer(photo, again).match_ratio == pytest.approx(answer(photo, found).match_ratio, abs=0.01)
        assert json.loads((tmp_path / "c.json").read_text())["fitted_on"] == {"photos": 60}


class TestEndToEnd:
    def test_collect_and_recall(self, folder: Path, tmp_path: Path) -> None:
        """A small set through the whole engine: filled once, every photo with its outcome, recall by hand."""
        (folder / "also_visible.csv").write_text("query,ref\nq1.jpg,b.png\n")
        (folder / "refs" / "broken.jpg").write_bytes(b"no picture")
        write(tmp_path / "others" / "x.jpg", drawn(50))
        evaluation = read_set(folder)
        with Recognizer.open(tmp_path / "data", EngineSettings(second_look=False)) as recognizer:
            for _ in range(2):
                refused = fill(recognizer, [evaluation], [tmp_path / "others" / "x.jpg"])
                assert [Path(name).name for name in refused] == ["broken.jpg"]
                assert recognizer.catalogue.count(CHANNEL) == 4
            found = {o.query: o for o in collect(recognizer, [evaluation])}
            looks = list(collect(recognizer, [evaluation], side="fit", looks=3))
            shares = recall(recognizer, [evaluation], (1, 3))
        assert set(found) == set(evaluation.truth)
        half = {query for query, one in found.items() if one.side == "fit"}
        assert 0 < len(half) < len(found)
        assert [o.query for o in looks] == [query for query in sorted(half) for _ in range(3)]
        for served, second, third in zip(looks[::3], looks[1::3], looks[2::3], strict=True):
            assert served.candidates == found[served.query].candidates
            assert {tuple(o.right) for o in (served, second, third)} == {tuple(found[served.query].right)}
            if served.right:
                assert second.candidates != served.candidates != third.candidates
        assert found["q1.jpg"].right == [evaluation.identifier("a.jpg")]
        assert found["q1.jpg"].allowed == [evaluation.identifier("b.png")]
        assert found["easy.jpg"].right == []
        for query in ("q1.jpg", "q2.jpg", "q3.jpg"):
            assert found[query].candidates[0][0] in found[query].right
            assert found[query].timings_ms
        assert shares["gallery"] == 4
        part = shares["sets"]["cartons"]
        assert part == shares["all"]
        assert part["queries"] == 3
        assert (part["geometry_recall"], part["ceiling"], part["quotient"]) == (
            {"1": 1.0, "3": 1.0, "10": 1.0},
            1.0,
            1.0,
        )
        assert part["shortlist_recall"]["3"] <= 1
