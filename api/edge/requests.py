"""What surrounds every request: its id, its line in the log, its place in the metrics."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.metrics import Metrics

_GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_STATE = "obverse_request"
logger = structlog.stdlib.get_logger("api.edge.requests")


def request_id(request: Request[Any, Any, Any]) -> str:
    """The id that the log, the answer's X-Request-Id and messages of failures share."""
    return str(request.scope["state"][_STATE]["id"])


def note(request: Request[Any, Any, Any], *, method: str, code: int) -> None:
    """What the log and the metrics shall tell about this request besides its path."""
    request.scope["state"][_STATE].update(method=method, code=code)


class RequestFrame(ASGIMiddleware):
    """Gives each request an id (or keeps a proxy's, when it is harmless), then logs and measures it.

    Only the path is logged, never the query: some clients put keys there.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        number = given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        facts: dict[str, Any] = {"id": number, "method": "", "code": None, "status": None, "received": 0}
        scope["state"][_STATE] = facts

        async def counting_receive() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                facts["received"] += len(message["body"])
            return message

        async def marking_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", number.encode())]
            await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=number), self._metrics.in_flight.track_inprogress():
            try:
                await next_app(scope, counting_receive, marking_send)
            finally:
                self._tell(scope["path"], facts, seconds=time.perf_counter() - started)

    def _tell(self, path: str, facts: dict[str, Any], *, seconds: float) -> None:
        if facts["method"]:
            self._metrics.requests.labels(facts["method"], str(facts["code"])).inc()
            self._metrics.request_seconds.labels(facts["method"]).observe(seconds)
        logger.info(
            "request",
            path=path[:200],
            status=facts["status"],
            returncode=facts["code"],
            milliseconds=round(seconds * 1000, 1),
            received_bytes=facts["received"],
        )
