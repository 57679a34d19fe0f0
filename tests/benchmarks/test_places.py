"""The place of the right picture in a list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.places import place_behind_ties, place_of_right


class TestPlaceOfRight:
    @pytest.mark.parametrize(
        ("scores", "right", "place"),
        [
            ([9, 8, 7], [True, False, False], 1),
            ([9, 8, 7], [False, False, True], 3),
            ([9, 9, 9], [True, False, False], 3),
            ([9, 8, 8, 8], [False, True, True, False], 3),
            ([9, 8], [False, False], np.inf),
            ([], [], np.inf),
        ],
        ids=["first", "last", "tie", "the best of two", "none", "empty"],
    )
    def test_by_hand(self, scores: list[float], right: list[bool], place: float) -> None:
        assert place_of_right(np.array(scores, np.float32), np.array(right, bool)) == place

    @given(rows=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=12))
    def test_as_the_worst_order_has_it(self, rows: list[tuple[int, bool]]) -> None:
        """It is where the first right picture stands when of equal scores the wrong ones are written first."""
        worst = [right for _, right in sorted(rows, key=lambda row: (-row[0], row[1]))]
        expected = worst.index(True) + 1 if True in worst else np.inf
        scores, right = np.array([s for s, _ in rows], float), np.array([r for _, r in rows], bool)
        assert place_of_right(scores, right) == expected


def test_place_behind_ties() -> None:
    """A right picture stands behind every wrong one of as high a score, and before all lower ones."""
    assert place_behind_ties(5.0, np.array([7.0, 5.0, 3.0])) == 3
    assert place_behind_ties(5.0, np.zeros(0)) == 1
