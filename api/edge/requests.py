"""What surrounds every request: its id, its line in the log, its place in the metrics, the memory of its answer."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPResponseBodyEvent, Message, Receive, Scope, Send

from api.edge.limits import MemoryShare, client_network
from api.edge.metrics import Metrics

PIECE_BYTES = 262_144
"""An answer is handed to the socket in such pieces, each when the client has taken the one before: one that reads
slowly holds its answer once, not a second time in the socket's buffer."""
_GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_STATE = "obverse_request"
logger = structlog.stdlib.get_logger("api.edge.requests")


def request_id(request: Request[Any, Any, Any]) -> str:
    """The id that the log, the answer's X-Request-Id and messages of failures share."""
    return str(request.scope["state"][_STATE]["id"])


def note(request: Request[Any, Any, Any], *, method: str, code: int | str, reason: str = "") -> None:
    """What the log and the metrics shall tell about this request besides its path. reason: for the log, where the
    client is not told it."""
    request.scope["state"][_STATE].update(method=method, code=code, reason=reason)


def without_id(request: Request[Any, Any, Any]) -> None:
    """The answer shall not carry X-Request-Id: some clients' tests count its headers."""
    request.scope["state"][_STATE]["told"] = False


def client_of(request: Request[Any, Any, Any]) -> str:
    """Whose share of memory its body and its answer take. uvicorn has put the address there that a trusted proxy names
    (the variable FORWARDED_ALLOW_IPS)."""
    return client_network(request.client.host if request.client else None)


def body_length(request: Request[Any, Any, Any]) -> int | None:
    """What the client says; None: it does not. The server has refused what is no number."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def unframed(request: Request[Any, Any, Any], status: int) -> dict[str, str]:
    """The headers of an answer that no handler gave (an unknown path, a wrong verb), which is logged here instead."""
    if _STATE in request.scope["state"]:
        return {}
    number = _id_of(request.scope)
    with structlog.contextvars.bound_contextvars(request_id=number):
        _log(request.scope["path"], {"status": status, "code": None, "received": 0}, seconds=0)
    return {"X-Request-Id": number}


class RequestFrame(ASGIMiddleware):
    """Gives each request an id (or keeps a proxy's, when it is harmless), then logs and measures it.

    Only the path is logged, never the query: some clients put keys there.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, metrics: Metrics, memory: MemoryShare) -> None:
        self._metrics, self._memory = metrics, memory

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        number = _id_of(scope)
        facts: dict[str, Any] = {"id": number, "method": "", "code": None, "status": None, "received": 0, "told": True}
        scope["state"][_STATE] = facts

        async def counting_receive() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                facts["received"] += len(message["body"])
            return message

        async def marking_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                if facts["told"]:
                    message["headers"] = [*message["headers"], (b"x-request-id", number.encode())]
            if message["type"] == "http.response.body" and len(message["body"]) > PIECE_BYTES:
                await self._send_in_pieces(scope, send, message)
            else:
                await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=number), self._metrics.in_flight.track_inprogress():
            try:
                await next_app(scope, counting_receive, marking_send)
            finally:
                self._tell(scope["path"], facts, seconds=time.perf_counter() - started)

    async def _send_in_pieces(self, scope: Scope, send: Send, message: HTTPResponseBodyEvent) -> None:
        """Counted in the memory share until the client has taken it, but never refused: the work is done."""
        body, client = memoryview(message["body"]), scope["client"]
        holding = self._memory.reserve_always(len(body), address=client_network(client[0] if client else None))
        try:
            for start in range(0, len(body), PIECE_BYTES):
                piece = bytes(body[start : start + PIECE_BYTES])
                more = message["more_body"] or start + PIECE_BYTES < len(body)
                await send({"type": "http.response.body", "body": piece, "more_body": more})
        finally:
            self._memory.give_back(holding)

    def _tell(self, path: str, facts: dict[str, Any], *, seconds: float) -> None:
        if facts["method"]:
            self._metrics.requests.labels(facts["method"], str(facts["code"])).inc()
            self._metrics.request_seconds.labels(facts["method"]).observe(seconds)
        _log(path, facts, seconds=seconds)


def _id_of(scope: Scope) -> str:
    """A proxy's, where it is harmless, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex


def _log(path: str, facts: dict[str, Any], *, seconds: float) -> None:
    reason = {"reason": facts["reason"]} if facts.get("reason") else {}
    logger.info(
        "request",
        **reason,
        path=path[:200],
        status=facts["status"],
        returncode=facts["code"],
        milliseconds=round(seconds * 1000, 1),
        received_bytes=facts["received"],
    )
