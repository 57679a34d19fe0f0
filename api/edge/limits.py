"""Shares: how many requests a user may send, and how many bytes of bodies may be held at once."""

from __future__ import annotations

import math
import threading
import time

from api.errors import RateLimited


class RateLimiter:
    """A token bucket per user: a minute's worth may come at once, then they come evenly. 0: no limit."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, user: int) -> None:
        """Raises RateLimited when the user's bucket is empty."""
        if not self._per_minute:
            return
        rate = self._per_minute / 60
        with self._lock:
            now = time.monotonic()
            left, since = self._buckets.get(user, (float(self._per_minute), now))
            left = min(float(self._per_minute), left + (now - since) * rate)
            if left < 1:
                wait = math.ceil((1 - left) / rate)
                raise RateLimited(f"{self._per_minute} requests a minute are allowed", retry_after_seconds=wait)
            self._buckets[user] = (left - 1, now)


class MemoryShare:
    """Bytes of request bodies in memory. Used on the event loop only, so it needs no lock."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, count: int) -> bool:
        """False when they would be too many; nothing is taken then."""
        if self.held + count > self.limit:
            return False
        self.held += count
        return True

    def give_back(self, count: int) -> None:
        self.held -= count
