"""The figures of `obverse evaluate`, on cases worked out by hand."""

from __future__ import annotations

import json

from benchmarks.accuracy.end_to_end import calibration_error, figures, report
from tests.support.made_outcomes import PLAIN, TEN, outcome, ratio


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


class TestLeftOut:
    LOOKS = (*TEN, *(outcome(("c", value), left_out=True) for value in (4.5, 0.5, -1.0)), outcome(left_out=True))

    def test_apart(self) -> None:
        """Looks without the right picture change no other figure; each answer to one is a false one."""
        found = figures(self.LOOKS, PLAIN, threshold=50)
        missing = found.pop("left_out")
        assert found == figures(TEN, PLAIN, threshold=50)
        assert (missing["photos"], missing["false_accepts"], missing["false_accept_rate"]) == (4, 2, 0.5)
        assert missing["false_accept_bounds"] == [0.0676, 0.9324]

    def test_recall_at_errors(self) -> None:
        """Their answers are errors like others: the first right answer comes before any, the second behind one."""
        curve = figures(self.LOOKS, PLAIN, threshold=50)["left_out"]["recall_at_errors"]
        assert curve["0.000"] == round(1 / 7, 4)
        assert figures(TEN, PLAIN, threshold=50)["recall_at_errors"]["0.000"] == round(2 / 7, 4)

    def test_calibration_error(self) -> None:
        """By hand: two photos at 100 and 50 percent, one right and one not, are off by nothing and by a half."""
        sure, torn = outcome(("a", 30.0), right=("a",)), outcome(("b", 0.0), left_out=True)
        assert calibration_error([sure, torn], PLAIN) == 0.25
        assert calibration_error([], PLAIN) is None

    def test_none(self) -> None:
        """Where no look was taken without the right picture nothing is told of such looks."""
        assert "left_out" not in figures(TEN, PLAIN, threshold=50)
