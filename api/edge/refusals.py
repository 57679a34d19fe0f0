"""What every dialect does with an error: its row by ancestry, its trace in the log, the headers that go with it.

A dialect keeps one table of its codes and its own envelope, and asks here for the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from litestar import Request, Response

from api.edge.requests import request_id
from api.errors import BodyTooLarge, Busy, MalformedBody, NotMultipart
from api.settings import Settings
from engine.errors import ObverseError

Row = TypeVar("Row")
AnyRequest = Request[Any, Any, Any]
AnyResponse = Response[Any]
logger = logging.getLogger(__name__)


def nearest_row(table: Mapping[type[ObverseError], Row], error: ObverseError) -> Row:
    """The row of the nearest class in the error's ancestry. A table has one of ObverseError."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)


def log_failure(what: str, error: ObverseError) -> None:
    """A failure of ours, with its trace. Its text is kept from the client."""
    logger.error("%s failed", what, exc_info=error)


def stopped(settings: Settings) -> Busy:
    """What a request is told that was cancelled because the server stops and will not wait longer. The task goes on,
    only to tell it: a client that can read no code takes it for a broken server."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    return Busy("the server stops", retry_after_seconds=settings.retry_after_seconds)


def text_of(error: ObverseError) -> str:
    """The error's sentence for a client. Errors hold what was sent among their facts and quote it as Python would write
    it; a client reads it as it came, without what is no letter of any language."""
    text = str(error)
    for fact in vars(error).values():
        if isinstance(fact, str):
            legible = "".join(letter if letter.isprintable() else "\ufffd" for letter in fact)
            text = text.replace(repr(fact), f"“{legible}”")
    return text


def with_id(text: str, request: AnyRequest) -> str:
    """The text with the id under which the log tells more."""
    return f"{text} (request {request_id(request)})"


def headers_of(error: ObverseError, *, failures_retry_after: int | None = None) -> dict[str, str]:
    """Retry-After where another try is worth it, Connection: close where too much of the body is still to come.

    failures_retry_after: seconds for a failure of ours in a dialect whose clients take it for busy.
    """
    headers = {}
    seconds = error.retry_after_seconds if isinstance(error, Busy) else failures_retry_after
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, BodyTooLarge | MalformedBody | NotMultipart) and error.close:
        headers["Connection"] = "close"
    return headers


def unexpected(answer: Callable[[AnyRequest], AnyResponse]) -> Callable[[AnyRequest, Exception], AnyResponse]:
    """The handler of what nobody foresaw: the trace goes to the log; `answer` tells the client the request's id."""

    def handle(request: AnyRequest, error: Exception) -> AnyResponse:
        logger.error("unexpected failure", exc_info=error)
        return answer(request)

    return handle
