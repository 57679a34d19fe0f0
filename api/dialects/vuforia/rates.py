"""How many requests an access key may send. They count before the signature is looked at, as the vendor's do: wrong
signatures use the share up, too."""

from __future__ import annotations

from api.edge.limits import RateLimiter
from api.settings import Settings

GENERAL_PER_SECOND = 15
PER_SECOND = {"getTarget": 45, "getDuplicates": 10}
"""The vendor's documented limits, by call."""
LIST = "listTargets"


class Rates:
    """Token buckets by access key. Safe for use by many threads."""

    def __init__(self, settings: Settings) -> None:
        self._all = RateLimiter(settings.rate_limit_per_minute)
        self._vendors: dict[str, RateLimiter] = {}
        self._general = RateLimiter(0)
        if settings.vuforia_rate_limits:
            self._general = _each_second(GENERAL_PER_SECOND)
            self._vendors = {call: _each_second(number) for call, number in PER_SECOND.items()}
            self._vendors[LIST] = RateLimiter(settings.vuforia_lists_per_minute)

    def take(self, access_key: str, *, call: str) -> None:
        """Raises RateLimited."""
        self._all.take(access_key)
        self._vendors.get(call, self._general).take(access_key)


def _each_second(number: int) -> RateLimiter:
    return RateLimiter(60 * number, at_once=number)
