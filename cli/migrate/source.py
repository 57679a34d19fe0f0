"""What every service's account is read as, and how it is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from api.errors import ServiceError

TRIES = 5
"""Of one request, where the service is busy or does not answer."""
LONGEST_WAIT = 60.0
"""Seconds between two tries."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A picture as an account tells of it. No service gives the file back that it was made of."""

    id: str
    """The service's own, or the picture's name there."""
    name: str
    """By which its original is sought."""
    identifier: str
    uuid: str | None = None
    metadata: str = field(default="", repr=False)
    threshold: float | None = None
    active: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    """What our dialect of the service keeps of it."""
    stand_in: bytes | None = field(default=None, repr=False)
    """A small picture that the service gives, for where there is no original."""


class SourceError(ServiceError):
    """The service refused, or did not answer."""


def answered(send: Callable[[], httpx.Response], *, sleep: Callable[[float], None] = time.sleep) -> httpx.Response:
    """An answer that is none of "busy": so often it is asked again. send: makes the request anew, with its date. Raises
    SourceError."""
    reason = ""
    for number in range(TRIES):
        try:
            response = send()
        except httpx.HTTPError as error:
            reason, wait = str(error) or type(error).__name__, 0.0
        else:
            if response.status_code not in (429, 500, 502, 503, 504):
                return response
            reason = f"HTTP {response.status_code}"
            told = response.headers.get("retry-after", "")
            wait = float(told) if told.isdecimal() else 0.0
        if number + 1 < TRIES:
            sleep(min(LONGEST_WAIT, max(wait, 0.5 * 2**number)))
    raise SourceError(f"the service does not answer: {reason}")


def of_json(response: httpx.Response) -> dict[str, Any]:
    """The answer's object. Raises SourceError."""
    try:
        content = response.json()
    except ValueError as error:
        raise SourceError(f"the service answers no JSON, but HTTP {response.status_code}") from error
    if not isinstance(content, dict):
        raise SourceError("the service answers no JSON object")
    return content
