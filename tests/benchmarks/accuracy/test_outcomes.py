"""What a fit and a calibration read of the outcome of a photo."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy.outcomes import answer, answer_rows, read_outcomes, write_outcomes
from tests.support.made_outcomes import PLAIN, TEN, outcome, ratio


class TestAnswer:
    def test_best(self) -> None:
        """The candidate with the highest ratio answers."""
        best = answer(TEN[2], PLAIN)
        assert best.identifier == "b"
        assert best.match_ratio == round(ratio(3), 2)

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
