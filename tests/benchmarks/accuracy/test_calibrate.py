"""The fit of the match ratio and of its threshold, on cases worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from benchmarks.accuracy.end_to_end import figures
from benchmarks.accuracy.outcomes import Answer, Outcome, answer
from engine.errors import ResearchError
from engine.judge.calibration import ANSWER_FIGURES, FULL_FIGURES, Calibration, load_calibration
from tests.support.made_outcomes import PLAIN, TEN, outcome


def judged(outcomes: Sequence[Outcome], calibration: Calibration = PLAIN) -> list[tuple[Outcome, Answer]]:
    return [(o, answer(o, calibration)) for o in outcomes]


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
        threshold = choose_threshold(judged(hundreds))
        errors = sorted((r for r, right in scored(hundreds, PLAIN) if right is False), reverse=True)
        assert sum(e >= threshold for e in errors) == 2
        assert errors[2] < threshold <= errors[2] + 0.02

    def test_threshold_without_errors(self) -> None:
        """Where errors are too few to tell, it is 50."""
        assert choose_threshold(judged([outcome(("a", 5.0), right=("a",))] * 50)) == 50

    def test_threshold_by_a_stated_risk(self) -> None:
        """With a confidence the upper bound keeps the promise: fewer errors are let through."""
        photos = [replace(one, query=f"q{n}") for n, one in enumerate(TEN + [outcome(right=("a",))] * 990)]
        counted = choose_threshold(judged(photos), errors=0.005)
        held = choose_threshold(judged(photos), errors=0.005, confidence=0.95)
        mistakes = [ratio for ratio, right in scored(photos, PLAIN) if right is False]
        assert [sum(m >= t for m in mistakes) for t in (counted, held)] == [3, 1]

    def test_looks_at_one_photo_are_one_trial(self) -> None:
        """Many looks at the one photo that errs are one error, however they were taken."""
        erring = [outcome(("b", 9.0), right=("a",))] * 20
        photos = [replace(outcome(right=("a",)), query=f"q{n}") for n in range(1000)]
        assert choose_threshold(judged(erring + photos), errors=0.005, confidence=0.95) == 50

    def test_no_ratio_above_the_mistakes(self) -> None:
        """What cannot be kept is not promised."""
        with pytest.raises(ResearchError, match="no threshold"):
            choose_threshold(judged([outcome(("b", 30.0), right=("a",))] * 50))

    def test_too_few_photos_to_promise(self) -> None:
        """It says how many it takes."""
        with pytest.raises(ResearchError, match="it takes 598 without any error"):
            choose_threshold(judged(TEN), errors=0.005, confidence=0.95)


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

    def test_counts(self) -> None:
        """The same rows twice, each for a half, weigh as much as once, and more where each counts wholly; rows that
        count nothing change nothing."""
        rows, labels = rows_of(100)
        once = fit_logistic(("a", "b", "c"), rows, labels)
        twice = fit_logistic(("a", "b", "c"), 2 * rows, 2 * labels, counts=[0.5] * 200)
        more = fit_logistic(("a", "b", "c"), 2 * rows, 2 * labels)
        others = [dict.fromkeys("abc", 9.0)] * 50
        without = fit_logistic(("a", "b", "c"), rows + others, labels + [True] * 50, counts=[1.0] * 100 + [0.0] * 50)
        assert np.allclose(once.weights, twice.weights, atol=1e-3)
        assert np.allclose(once.weights, without.weights, atol=1e-3)
        assert np.linalg.norm(more.weights) > 1.05 * np.linalg.norm(once.weights)


def made_outcomes(count: int) -> list[Outcome]:
    """Photos with a right candidate of good figures and a wrong one of bad figures; a quarter are negatives with
    two wrong ones."""
    rng = np.random.default_rng(4)
    photos = []
    for number in range(count):
        good, bad, other = ({name: float(rng.normal(mean, 0.7)) for name in FULL_FIGURES} for mean in (1.0, -1.0, -1.0))
        found: list[tuple[str, dict[str, Any]]] = [(f"right{number}", good), ("wrong", bad)]
        if number % 4 == 0:
            found = [("wrong", bad), ("other", other)]
        right = [f"right{number}"] if number % 4 else []
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

    def test_made_series(self) -> None:
        """Made photos teach a little, and choose no threshold."""
        photos = made_outcomes(200)
        wrong = [replace(o, set="made", right=["wrong"]) for o in photos if o.right]
        one, other = fit(photos), fit(photos, made=wrong)
        assert 0 < np.linalg.norm(other.pair_full.weights) < 0.95 * np.linalg.norm(one.pair_full.weights)
        assert other.threshold < choose_threshold(judged(photos + wrong, other))
        assert figures(photos, other, threshold=other.threshold)["recall_at_1"] > 0.9

    def test_threshold_of_other_looks(self) -> None:
        """The threshold may come from more looks than the regressions, which stay the same."""
        photos = made_outcomes(400)
        wrong = [replace(o, query=f"w{i}", right=["other"]) for i, o in enumerate(photos[1:8:2])]
        one, other = fit(photos), fit(photos, threshold_on=photos + wrong)
        assert other.threshold > one.threshold
        assert (one.answer.weights == other.answer.weights).all()

    def test_threshold_of_photos_that_the_fit_has_not_seen(self) -> None:
        """Figures that say nothing are learned by heart where photos are few; the threshold does not believe it."""
        rng = np.random.default_rng(7)
        photos = []
        for number in range(60):
            noise = [(f"{name}{number}", {f: float(rng.normal()) for f in FULL_FIGURES}) for name in "ab"]
            photos.append(Outcome("s", f"q{number}", [f"a{number}"], [], False, "fit", noise, [[], []], {}, 3, {}))
        found = fit(photos, errors=0.1)
        seen = choose_threshold(judged(photos, found), errors=0.1)
        assert found.threshold > seen + 5

    def test_few_objects(self) -> None:
        """Where the other objects are too few for a fit of their own, the whole fit judges."""
        photos = []
        for number, o in enumerate(one for one in made_outcomes(80) if one.right):
            names = ("wrong", "right") if number % 9 == 0 else ("right", "wrong")
            photos.append(
                replace(o, right=["right"], candidates=[(n, f) for n, (_, f) in zip(names, o.candidates, strict=True)])
            )
        found = fit(photos)
        assert found.threshold == choose_threshold(judged(photos, found))

    def test_file(self, tmp_path: Path) -> None:
        """What is written is what the engine loads, with the facts of the fit beside it."""
        found = fit(made_outcomes(60))
        write_calibration(tmp_path / "c.json", found, {"photos": 60})
        again = load_calibration(tmp_path / "c.json")
        photo = made_outcomes(1 + 1)[1]
        assert answer(photo, again).match_ratio == pytest.approx(answer(photo, found).match_ratio, abs=0.01)
        assert json.loads((tmp_path / "c.json").read_text())["fitted_on"] == {"photos": 60}
