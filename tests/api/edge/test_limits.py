"""Shares of requests and of memory."""

from __future__ import annotations

import pytest

from api.edge.limits import MemoryShare, RateLimiter
from api.errors import RateLimited


class TestRateLimiter:
    def test_a_minutes_worth(self) -> None:
        limiter = RateLimiter(3)
        for user in (1, 2):
            for _ in range(3):
                limiter.take(user)
            with pytest.raises(RateLimited) as refused:
                limiter.take(user)
            assert 1 <= refused.value.retry_after_seconds <= 20

    def test_off(self) -> None:
        limiter = RateLimiter(0)
        for _ in range(1000):
            limiter.take(1)


class TestMemoryShare:
    def test_takes_and_gives_back(self) -> None:
        share = MemoryShare(10)
        assert share.take(6)
        assert not share.take(5)
        assert share.held == 6
        share.give_back(6)
        assert share.take(10)
