"""From figures to the match ratio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import ModelError
from engine.judge.calibration import (
    ANSWER_FIGURES,
    FULL_FIGURES,
    FURTHEST,
    GEOMETRY_FIGURES,
    Calibration,
    Logistic,
    answer_figures,
    load_calibration,
)
from engine.judge.look_alikes import NO_RIVAL, Duel


def logistic(*names: str, weight: float = 1.0, intercept: float = 0.0) -> Logistic:
    count = len(names)
    return Logistic(names, np.zeros(count), np.ones(count), np.full(count, weight), intercept)


MADE = Calibration(
    pair_full=logistic("inliers", "structure"),
    pair_geometry=logistic("inliers", weight=2),
    answer=logistic("logit", "margin"),
    threshold=40,
)


def written(folder: Path, calibration: Calibration, **changes: object) -> Path:
    models = {k: getattr(calibration, k).to_json() for k in ("pair_full", "pair_geometry", "answer")}
    path = folder / "calibration.json"
    path.write_text(json.dumps({**models, "threshold": calibration.threshold, **changes}))
    return path


class TestLogistic:
    def test_formula(self) -> None:
        """weights . (figures - mean) / scale + intercept, figures by name."""
        model = Logistic(("a", "b"), np.array([1.0, 2]), np.array([2.0, 4]), np.array([3.0, -1]), 0.5)
        assert model.logit({"b": 6, "a": 5, "unused": 9}) == pytest.approx(3 * 2 - 1 + 0.5)

    def test_missing_figure(self) -> None:
        """A figure that is not there is a mistake of ours, and is not taken for zero."""
        with pytest.raises(KeyError):
            logistic("a").logit({})


class TestMatchRatio:
    def test_range(self) -> None:
        """It lies in 0 to 100 for any logits."""
        for logit in (-1e6, -3, 0, 3, 1e6):
            for runner_up in (None, -1e6, 0, 1e6):
                assert 0 <= MADE.match_ratio(logit, runner_up) <= 100

    def test_grows_with_the_logit(self) -> None:
        """Better figures give a higher ratio, a better runner-up a lower one."""
        ratios = [MADE.match_ratio(x, 0.0) for x in np.linspace(-3, 3, 13)]
        assert ratios == sorted(ratios)
        assert MADE.match_ratio(2, 1.5) < MADE.match_ratio(2, -3) <= MADE.match_ratio(2, None)

    def test_value(self) -> None:
        """It is the percentage of the logistic function."""
        assert MADE.match_ratio(0.0, 0.0) == pytest.approx(50)
        assert MADE.match_ratio(1.0, 0.0) == pytest.approx(100 / (1 + np.exp(-2)))

    def test_alone(self) -> None:
        """Without a rival the margin is the largest there is, and all of the duel is zero."""
        figures = answer_figures(3.0, None, NO_RIVAL)
        assert figures["margin"] == FURTHEST
        assert figures["rival"] == 0
        assert set(figures) == set(ANSWER_FIGURES)

    def test_cut(self) -> None:
        """Beyond ten, more evidence changes nothing."""
        assert answer_figures(50, -50, NO_RIVAL) == answer_figures(FURTHEST, -FURTHEST, NO_RIVAL)

    def test_pair_models(self) -> None:
        """Where no picture was kept, geometry alone decides."""
        assert MADE.pair_logit({"inliers": 3, "structure": 1}) == 4
        assert MADE.pair_logit({"inliers": 3}) == 6


class TestShipped:
    def test_loads(self) -> None:
        """The shipped fit reads figures that exist, and its threshold is a percentage."""
        shipped = load_calibration()
        assert set(shipped.pair_full.names) <= set(FULL_FIGURES)
        assert set(shipped.pair_geometry.names) <= set(GEOMETRY_FIGURES)
        assert set(shipped.answer.names) <= set(ANSWER_FIGURES)
        assert 0 < shipped.threshold < 100
        assert all((m.scale > 0).all() for m in (shipped.pair_full, shipped.pair_geometry, shipped.answer))

    def test_a_clear_case(self) -> None:
        """Many inliers and no rival are an answer; a handful are none."""
        shipped = load_calibration()
        clear = {
            "inliers": np.log(150), "share": 0.7, "similarity": 0.7, "spread": 0.9, "rank_score": np.log(80),
            "ratio_kept": 0.95, "structure": 0.9, "structure_low": 0.85, "structure_share": 0.98, "colour": 0.9,
            "chroma_gap": 4.0, "colour_back": 0.9, "gap_back": 4.0, "hue": 0.95, "visible": 1.0,
            "detail": -0.3, "shift": 1.0, "bend": 0.5, "size": 0.5, "dimness": 0.1, "contrast": 3.2,
            "content": 0.92, "content_quartile": 0.9, "content_tenth": 0.85, "content_differs": 0.0,
            "wide": 0.93, "wide_quartile": 0.9, "wide_tenth": 0.87, "wide_differs": 0.0, "region": 0.0,
            "print_median": 6.0, "print_hidden": 0.05, "print_enclosed": 0.0, "print_contradicted": 0.0,
        }  # fmt: skip
        faint = {
            "inliers": np.log(7), "share": 0.03, "similarity": 0.45, "spread": 0.2, "rank_score": np.log(3),
            "ratio_kept": 0.2, "structure": 0.2, "structure_low": 0.1, "structure_share": 0.02, "colour": 0.0,
            "chroma_gap": 20.0, "colour_back": 0.0, "gap_back": 20.0, "hue": 0.0, "visible": 0.8,
            "detail": -1.5, "shift": 7.0, "bend": 5.0, "size": -0.5, "dimness": 0.8, "contrast": 3.2,
            "content": 0.15, "content_quartile": 0.05, "content_tenth": 0.0, "content_differs": 0.8,
            "wide": 0.2, "wide_quartile": 0.1, "wide_tenth": 0.0, "wide_differs": 0.8, "region": 0.8,
            "print_median": -2.0, "print_hidden": 0.5, "print_enclosed": 0.3, "print_contradicted": 0.0,
        }  # fmt: skip
        for names in (FULL_FIGURES, GEOMETRY_FIGURES):
            good, bad = (shipped.pair_logit({n: row[n] for n in names}) for row in (clear, faint))
            assert shipped.match_ratio(good, None) > max(90, shipped.threshold)
            assert shipped.match_ratio(bad, bad, Duel(1, 0, 0, 0.2, 1)) < min(20, shipped.threshold)


class TestFile:
    def test_round_trip(self, tmp_path: Path) -> None:
        """What was written is read again."""
        again = load_calibration(written(tmp_path, MADE))
        assert again.threshold == 40
        for figures in ({"inliers": 1.5, "structure": 0.3}, {"inliers": -2}):
            assert again.pair_logit(figures) == pytest.approx(MADE.pair_logit(figures), abs=1e-5)
        assert again.match_ratio(1.0, 0.2) == pytest.approx(MADE.match_ratio(1.0, 0.2), abs=1e-3)

    @pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"pair_full": 3}'])
    def test_unreadable(self, tmp_path: Path, content: str | None) -> None:
        """A file that is missing or something else is a ModelError that names it."""
        path = tmp_path / "calibration.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ModelError, match=r"calibration\.json"):
            load_calibration(path)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"names": ["nonsense"]}, "nothing here computes nonsense"),
            ({"names": ["logit"], "scale": [0]}, "scales above 0"),
            ({"names": ["logit"], "weights": [float("nan")]}, "finite"),
            ({"names": ["logit"], "intercept": float("inf")}, "finite"),
        ],
    )
    def test_what_could_not_judge(self, tmp_path: Path, change: dict[str, Any], told: str) -> None:
        """A fit that would fail at a search, or judge by no number, is refused when it is read."""
        answer = {"mean": [0], "scale": [1], "weights": [1], "intercept": 0} | change
        with pytest.raises(ModelError, match=told):
            load_calibration(written(tmp_path, MADE, answer=answer))

    @pytest.mark.parametrize("threshold", [-1, 101, float("nan")])
    def test_no_threshold(self, tmp_path: Path, threshold: float) -> None:
        """A threshold is a percentage."""
        with pytest.raises(ModelError, match="0 to 100"):
            load_calibration(written(tmp_path, MADE, threshold=threshold))

    def test_nested(self, tmp_path: Path) -> None:
        """JSON of endless depth is one of the unreadable."""
        (tmp_path / "calibration.json").write_text("[" * 100_000)
        with pytest.raises(ModelError, match=r"calibration\.json"):
            load_calibration(tmp_path / "calibration.json")

    def test_uneven(self, tmp_path: Path) -> None:
        """So is one with more names than weights."""
        uneven = {"names": ["a", "b"], "mean": [0], "scale": [1], "weights": [1], "intercept": 0}
        with pytest.raises(ModelError, match="as many"):
            load_calibration(written(tmp_path, MADE, answer=uneven))
