"""Shares of requests and of memory."""

from __future__ import annotations

import pytest

from api.edge.limits import SMALL_BYTES, STILL_SECONDS, Holding, MemoryShare, RateLimiter, client_network
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

    def test_at_once(self) -> None:
        """Fewer than a minute's worth, of whoever asks."""
        limiter = RateLimiter(600, at_once=2)
        for key in ("a", "b"):
            for _ in range(2):
                limiter.take(key)
            with pytest.raises(RateLimited) as refused:
                limiter.take(key)
            assert refused.value.retry_after_seconds == 1

    def test_off(self) -> None:
        limiter = RateLimiter(0)
        for _ in range(1000):
            limiter.take(1)


MB = 1_000_000


class Giver:
    """A body that arrives, and may be told to give way."""

    def __init__(self, share: MemoryShare, size: int, address: str = "a") -> None:
        self.told = 0
        found = share.reserve(size, address=address, give_way=self.tell)
        assert found is not None
        self.holding: Holding = found

    def tell(self) -> None:
        self.told += 1

    def stands_still(self) -> None:
        self.holding.moved_at -= STILL_SECONDS + 1


class TestMemoryShare:
    def test_takes_and_gives_back(self) -> None:
        share = MemoryShare(10 * MB)
        first = share.reserve(6 * MB)
        assert first is not None
        assert share.reserve(5 * MB) is None
        assert share.held == 6 * MB
        for _ in range(2):
            share.give_back(first)
        assert share.held == 0
        assert share.reserve(10 * MB) is not None

    def test_shrinks(self) -> None:
        share = MemoryShare(10 * MB)
        first = share.reserve(10 * MB)
        assert first is not None
        share.shrink(first, 4 * MB)
        share.shrink(first, 5 * MB)
        assert share.held == 4 * MB
        share.give_back(first)
        assert share.held == 0

    def test_small_ones_always_find_room(self) -> None:
        """Lists and removals go on while photos wait."""
        share = MemoryShare(MB)
        assert share.reserve(MB) is not None
        assert share.reserve(SMALL_BYTES) is not None
        assert share.reserve(SMALL_BYTES + 1) is None

    def test_what_stands_still_gives_way(self) -> None:
        """The longest first, and no more of them than are needed."""
        share = MemoryShare(10 * MB)
        moving, old, older = (Giver(share, 3 * MB) for _ in range(3))
        old.stands_still()
        older.stands_still()
        older.stands_still()
        assert share.reserve(4 * MB, address="a") is not None
        assert (moving.told, old.told, older.told) == (0, 0, 1)
        assert older.holding.dropped
        assert share.held == 10 * MB
        share.give_back(older.holding)
        assert share.held == 10 * MB

    def test_nobody_gives_way_in_vain(self) -> None:
        share = MemoryShare(10 * MB)
        still, moving = Giver(share, 3 * MB), Giver(share, 7 * MB)
        still.stands_still()
        assert share.reserve(4 * MB, address="a") is None
        assert (still.told, moving.told) == (0, 0)

    def test_what_is_complete_is_kept(self) -> None:
        """It is being worked on: who sent it would send it again."""
        share = MemoryShare(10 * MB)
        whole = Giver(share, 10 * MB)
        whole.holding.give_way = None
        whole.stands_still()
        assert share.reserve(4 * MB, address="b") is None

    def test_an_equal_part(self) -> None:
        """One network that takes all gives way to another, what has arrived least first; not to itself."""
        share = MemoryShare(10 * MB)
        bodies = [Giver(share, 2 * MB) for _ in range(5)]
        for number, body in enumerate(bodies):
            body.holding.arrived(number + 1)
        assert share.reserve(2 * MB, address="a") is None
        for _ in range(2):
            assert share.reserve(2 * MB, address="b") is not None
        assert [body.told for body in bodies] == [1, 1, 0, 0, 0]
        assert share.reserve(2 * MB, address="b") is None

    def test_answers_are_counted_and_never_refused(self) -> None:
        share = MemoryShare(MB)
        answer = share.reserve_always(5 * MB)
        assert share.reserve(MB) is None
        share.give_back(answer)
        assert share.reserve(MB) is not None


class TestClientNetwork:
    @pytest.mark.parametrize(
        ("address", "network"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("testclient", ""),
            ("", ""),
            (None, ""),
        ],
    )
    def test_one_subscriber(self, address: str | None, network: str) -> None:
        assert client_network(address) == network
