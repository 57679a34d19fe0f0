"""Shares: how many requests a user may send, and how many bytes of bodies may be held at once."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from api.errors import RateLimited


class RateLimiter:
    """A token bucket per user, or whatever else asks: so many may come at once, then they come evenly. 0: no limit."""

    def __init__(self, per_minute: int, *, at_once: int | None = None) -> None:
        """at_once: None: a minute's worth."""
        self._per_minute = per_minute
        self._at_once = float(per_minute if at_once is None else at_once)
        self._buckets: dict[Hashable, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, user: Hashable) -> None:
        """Raises RateLimited when the user's bucket is empty."""
        if not self._per_minute:
            return
        rate = self._per_minute / 60
        with self._lock:
            now = time.monotonic()
            left, since = self._buckets.get(user, (self._at_once, now))
            left = min(self._at_once, left + (now - since) * rate)
            if left < 1:
                wait = math.ceil((1 - left) / rate)
                raise RateLimited(f"{self._per_minute} requests a minute are allowed", retry_after_seconds=wait)
            self._buckets[user] = (left - 1, now)


SMALL_BYTES = 16_384
"""What may always be held: connections are few enough that so much of each does not matter, and lists, counts and
removals go on while photos wait."""
LEAST_BYTES_A_SECOND = 1_000
"""A body that comes more slowly, or an answer that is taken more slowly, for longer than the settings
`body_stall_seconds` and `send_timeout_seconds`, is given up."""
STILL_SECONDS = 1.0
"""A body of which nothing came for so long gives way to one that needs its memory."""


@dataclass(eq=False, kw_only=True)
class Holding:
    """Bytes that one body or one answer holds, as MemoryShare.reserve gave them."""

    size: int
    """Bytes that are reserved."""
    address: str
    """Of the client, see `client_network`."""
    give_way: Callable[[], None] | None
    """Called when others need the bytes; None once all has arrived, because what is worked on is finished."""
    received: int = 0
    """Bytes that came."""
    moved_at: float
    """When the last of them came, by the monotonic clock."""
    dropped: bool = False
    """The bytes were taken away."""

    def arrived(self, count: int) -> None:
        self.received += count
        self.moved_at = time.monotonic()


class MemoryShare:
    """Bytes of bodies and of answers in memory. Used on the event loop only, so it needs no lock.

    A body is reserved whole, before its first byte is kept, or refused: who holds a part can always finish. Where
    there is no room, those that arrive give way: first the ones that stand still, then, while one client's network
    holds more than an equal part, its own.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._holdings: dict[Holding, None] = {}

    def reserve(self, size: int, *, address: str = "", give_way: Callable[[], None] | None = None) -> Holding | None:
        """None where they would be too many; nothing is taken then. give_way: makes the reader end at once."""
        if size > SMALL_BYTES and size > self.limit - self.held and not self._make_room(size, address):
            return None
        holding = self.reserve_always(size, address=address)
        holding.give_way = give_way
        return holding

    def reserve_always(self, size: int, *, address: str = "") -> Holding:
        """What is there already, also where it is too much: others are refused until it is given back."""
        holding = Holding(size=size, address=address, give_way=None, moved_at=time.monotonic())
        self._holdings[holding] = None
        self.held += size
        return holding

    def shrink(self, holding: Holding, size: int) -> None:
        """Gives back what turned out not to be needed."""
        if not holding.dropped and size < holding.size:
            self.held -= holding.size - size
            holding.size = size

    def give_back(self, holding: Holding) -> None:
        """Once or more often."""
        if self._holdings.pop(holding, self) is None:
            self.held -= holding.size

    def _make_room(self, size: int, address: str) -> bool:
        needed = size - (self.limit - self.held)
        for givers in (self._still(), self._above_their_part(size, address)):
            if sum(holding.size for holding in givers) < needed:
                continue
            for holding in givers:
                if needed <= 0:
                    break
                needed -= holding.size
                self._drop(holding)
            return True
        return False

    def _still(self) -> list[Holding]:
        """The longest first."""
        since = time.monotonic() - STILL_SECONDS
        still = [holding for holding in self._holdings if holding.give_way is not None and holding.moved_at < since]
        return sorted(still, key=lambda holding: holding.moved_at)

    def _above_their_part(self, size: int, address: str) -> list[Holding]:
        """Of the network that holds most, what arrives, the least received first; nothing where it may hold that."""
        parts = Counter({address: size})
        for holding in self._holdings:
            parts[holding.address] += holding.size
        part = self.limit / len(parts)
        largest, most = parts.most_common(1)[0]
        if most <= part or parts[address] > part:
            return []
        theirs = [h for h in self._holdings if h.address == largest and h.give_way is not None]
        return sorted(theirs, key=lambda holding: holding.received)

    def _drop(self, holding: Holding) -> None:
        self.give_back(holding)
        holding.dropped = True
        if holding.give_way is not None:
            holding.give_way()


def client_network(address: str | None) -> str:
    """What counts as one client: an IPv4 address, or the 64 bits of an IPv6 address that one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((int(parsed), 64), strict=False))
