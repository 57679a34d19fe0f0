"""Exact bounds of shares, against the definition and known values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks.accuracy.bounds import fewest_trials, most_errors, share_bounds, upper_bound


class TestShareBounds:
    def test_known(self) -> None:
        """No error in 117 negatives means at most 3.1 % (two-sided), 2.5 % (one-sided; the rule of three says 2.6)."""
        assert share_bounds(0, 117) == (0.0, pytest.approx(0.0310, abs=1e-4))
        assert upper_bound(0, 117) == pytest.approx(0.0253, abs=1e-4)
        assert share_bounds(5, 10) == (pytest.approx(0.1871, abs=1e-4), pytest.approx(0.8129, abs=1e-4))

    def test_edges(self) -> None:
        """Nothing counted says nothing; all and none are bounded on one side."""
        assert share_bounds(0, 0) == (0.0, 1.0)
        assert share_bounds(7, 7)[1] == upper_bound(7, 7) == 1.0

    @given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_definition(self, case: tuple[int, int]) -> None:
        """At each bound the count seen, or one further out, has a probability of 2.5 %."""
        count, of = case
        low, high = share_bounds(count, of)
        assert low <= count / of <= high
        if count:
            assert binom.sf(count - 1, of, low) == pytest.approx(0.025)
        if count < of:
            assert binom.cdf(count, of, high) == pytest.approx(0.025)


class TestPromises:
    def test_most_errors(self) -> None:
        """The last count whose upper bound keeps the promise."""
        for photos in (600, 1000, 2000):
            most = most_errors(photos, share=0.005)
            assert most is not None
            assert upper_bound(most, photos) <= 0.005 < upper_bound(most + 1, photos)

    def test_fewest_trials(self) -> None:
        """598 photos without an error show 0.5 % at 95 %; with one fewer nothing can."""
        assert fewest_trials(share=0.005) == 598
        assert most_errors(598, share=0.005) == 0
        assert most_errors(597, share=0.005) is None
