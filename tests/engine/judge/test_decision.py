"""How verified candidates are paired with their rivals."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.judge.decision import Rivals, pair_rivals

SAME_EVERY_TIME = settings(deadline=None, derandomize=True)
LOGITS = st.one_of(st.floats(-30, 30), st.sampled_from([-1.0, 0.0, 1.0]))
"""Often equal, too."""


@st.composite
def candidates(draw: st.DrawFn, *, least: int = 0) -> tuple[list[float], list[int]]:
    """Logits, and which stored picture each candidate is: equal numbers are copies of one."""
    logits = draw(st.lists(LOGITS, min_size=least, max_size=12))
    pictures = draw(st.lists(st.integers(0, 4), min_size=len(logits), max_size=len(logits)))
    return logits, pictures


def paired(logits: list[float], pictures: list[int]) -> Rivals:
    return pair_rivals(logits, copies(pictures))


def copies(pictures: list[int]) -> Callable[[int, int], bool]:
    return lambda one, other: pictures[one] == pictures[other]


class TestPairRivals:
    @SAME_EVERY_TIME
    @given(candidates())
    def test_order(self, made: tuple[list[float], list[int]]) -> None:
        """Each candidate once, by falling logit; of equal ones the one that was given first."""
        logits, _ = made
        order = paired(*made).order
        assert order == [i for _, i in sorted((-logit, i) for i, logit in enumerate(logits))]

    @SAME_EVERY_TIME
    @given(candidates())
    def test_rivals(self, made: tuple[list[float], list[int]]) -> None:
        """Each candidate's rival is the best of all those that are another picture; none where all are copies."""
        logits, pictures = made
        found = paired(logits, pictures)
        assert set(found.rivals) == set(range(len(logits)))
        for candidate, rival in found.rivals.items():
            others = [i for i in found.order if pictures[i] != pictures[candidate]]
            assert rival == (others[0] if others else None)

    @SAME_EVERY_TIME
    @given(candidates())
    def test_duels(self, made: tuple[list[float], list[int]]) -> None:
        """The first and its rival meet, each against the other; nobody else does."""
        found = paired(*made)
        met = set()
        if found.order and (rival := found.rivals[found.order[0]]) is not None:
            met = {(found.order[0], rival), (rival, found.order[0])}
            assert found.rivals[rival] == found.order[0]
        assert len(found.duels) == len(set(found.duels))
        assert set(found.duels) == met

    @SAME_EVERY_TIME
    @given(candidates(least=1))
    def test_pure(self, made: tuple[list[float], list[int]]) -> None:
        """Neither the logits nor what is asked about pictures decides by more than its value."""
        logits, pictures = made
        asked: set[tuple[int, int]] = set()

        def noted(one: int, other: int) -> bool:
            asked.add((one, other))
            return pictures[one] == pictures[other]

        first = pair_rivals(tuple(logits), noted)
        assert first == pair_rivals(logits, noted) == paired(logits, pictures)
        assert all(one != other for one, other in asked)
        assert (logits, pictures) == made

    @SAME_EVERY_TIME
    @given(candidates())
    def test_worse_ones_change_nothing(self, made: tuple[list[float], list[int]]) -> None:
        """A candidate worse than all joins the end: nobody who had a rival gets another."""
        logits, pictures = made
        before = paired(logits, pictures)
        after = paired([*logits, -31.0], [*pictures, 99])
        assert after.order == [*before.order, len(logits)]
        assert all(after.rivals[i] == rival for i, rival in before.rivals.items() if rival is not None)

    def test_none(self) -> None:
        """No candidates: nothing is paired."""
        assert paired([], []) == Rivals([], {}, [])

    def test_one(self) -> None:
        """One alone has no rival and meets nobody."""
        assert paired([2.5], [7]) == Rivals([0], {0: None}, [])

    def test_copies_of_one_picture(self) -> None:
        """Copies do not compete, however many."""
        assert paired([1.0, 3.0, 2.0], [4, 4, 4]) == Rivals([1, 2, 0], {1: None, 2: None, 0: None}, [])

    def test_copies_before_a_rival(self) -> None:
        """The rival of the first stands behind its copies; the copies have the same rival and do not meet it."""
        found = paired([5.0, 4.0, 1.0, 0.0], [1, 1, 2, 3])
        assert found == Rivals([0, 1, 2, 3], {0: 2, 1: 2, 2: 0, 3: 0}, [(0, 2), (2, 0)])
