"""Connections: how long each may say nothing, how many there may be, and what a head may hold.

uvicorn closes connections that wait between requests and no others. Here one look a second over all of them closes
those whose request does not come, and those whose client does not take its answer. Where there are as many as there
may be, the one that has waited longest makes room: who has a request sends it at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.edge.limits import LEAST_BYTES_A_SECOND, Holding, MemoryShare, client_network

MOST_HEAD_BYTES = 65_536
"""Of a request's first line and headers together."""
MOST_HEADERS = 100
LONGEST_LINE = 8_000
"""Of a WebSocket's first line or one of its headers: its library allows 8,192 and says nothing to who sends more."""
READ_BYTES = 65_536
"""Read from a socket at once, so that one connection's pieces do not hold up the others."""
LOOK_SECONDS = 1.0
GRACE_SECONDS = 0.5
logger = logging.getLogger(__name__)
_REFUSALS = {
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n",
}
_REASONS = {
    408: b'{"message":"the request did not come in time"}',
    431: b'{"message":"the first line or the headers are too long"}',
    503: b'{"message":"too many connections"}',
}


@dataclass(frozen=True, kw_only=True)
class ConnectionRules:
    """What connections may do."""

    most: int
    """Connections at the same time."""
    header_timeout_seconds: float
    """From the opening of a connection, or the first byte of a further request, to the end of its headers."""
    send_timeout_seconds: float
    """Longest time in which a client takes less than LEAST_BYTES_A_SECOND of its answer."""


class HttpConnection(HttpToolsProtocol):
    """A connection that knows since when it waits for a request, and how much of one it has read in vain."""

    def __init__(self, rules: ConnectionRules, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._rules = rules
        self.progress = Progress()
        self._quiet_since = 0.0
        """Loop time when the last request was answered, or the connection opened."""
        self._head_since: float | None = None
        """Loop time when the head began to be due; None: a request is being answered, or uvicorn's time for the next
        one runs."""
        self._head_bytes = 0
        """Of the first line and headers of this request, trailers included."""
        self._unused = 0
        """Bytes since the parser found something in them."""
        self._in_head, self._too_long, self._upgraded = False, False, False
        self._deaf = False
        """What came behind a whole request is no HTTP: its answer is the last."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        room = len(self.connections) < self._rules.most or self._make_room()
        super().connection_made(transport)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # asyncio's own; another loop may know none
        self._quiet_since = self._head_since = self.loop.time()
        if not room:
            self._refuse(503)

    def _make_room(self) -> bool:
        """Closes the connection that has been quiet longest; False where none is. One that was opened just now may
        have sent a request that is still to be read."""
        before = self.loop.time() - GRACE_SECONDS
        quiet = [
            c for c in self.connections if isinstance(c, HttpConnection) and c.is_quiet and c._quiet_since < before
        ]
        if quiet:
            longest = min(quiet, key=lambda connection: connection._quiet_since)
            longest.transport.abort()
            self.connections.discard(longest)
        return bool(quiet)

    @property
    def is_quiet(self) -> bool:
        """Whether no request is being answered, and the last answer was taken."""
        return not self._answers and not self.transport.is_closing() and not self.transport.get_write_buffer_size()

    @property
    def _answers(self) -> bool:
        return self._upgraded or (self.cycle is not None and not self.cycle.response_complete)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if not self._answers and self._head_since is None:
            self._head_since = self.loop.time()
        self._unused += len(data)
        super().data_received(data)
        if self._answers:
            self._head_since = None
            if self.cycle is not None and len(self.cycle.body) > READ_BYTES:
                self.flow.pause_reading()
        if self._unused > MOST_HEAD_BYTES and not self._upgraded and not self.transport.is_closing():
            if self._answers:
                self.transport.abort()
            else:
                self._refuse(431)

    def on_message_begin(self) -> None:
        self._head_bytes = self._unused = 0
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """As uvicorn's, with less to do for each: a body of 300 kB may come in 300,000 pieces."""
        self._unused = 0
        cycle = self.cycle
        if cycle is None or cycle.scope is not self.scope or cycle.response_complete:
            return
        if not cycle.body:
            cycle.message_event.set()
        cycle.body += body

    def on_message_complete(self) -> None:
        self._unused = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._quiet_since = self.loop.time()
        if self._in_head:  # the next request began while this one was answered
            self._head_since = self._quiet_since
        super().on_response_complete()

    def _count_head(self, count: int) -> None:
        self._unused = 0
        self._head_bytes += count
        if self._head_bytes > MOST_HEAD_BYTES or len(self.headers) >= MOST_HEADERS:
            self._too_long = True
            raise ValueError("the first line or the headers are too long")  # the parser stops with an error of its own

    def send_400_response(self, msg: str) -> None:
        if self._answers and self.cycle is not None and not self.cycle.more_body:
            # Of a whole request, whose Content-Length was too small, perhaps.
            self._deaf, self.cycle.keep_alive = True, False
        elif self._answers:  # of a request whose body is no HTTP: no second answer
            self.transport.abort()
        elif self._too_long:
            self._refuse(431)
        else:
            super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        if max(len(self.url), *(len(name) + len(value) for name, value in self.headers)) > LONGEST_LINE:
            self._refuse(431)
        else:
            self._upgraded = True
            super().handle_websocket_upgrade()

    def _refuse(self, status: int) -> None:
        """Says why, and closes."""
        reason = _REASONS[status]
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(reason)
        self.transport.write(_REFUSALS[status] + head + reason)
        self.transport.close()

    def look(self, now: float) -> None:
        """Closes it where its time is over."""
        since = self._head_since
        if since is not None and now - since > self._rules.header_timeout_seconds and not self.transport.is_closing():
            if self._in_head:
                self._refuse(408)
            else:  # nothing came, or the rest of a body that was answered before its end: there is nothing to answer
                self.transport.close()


class SocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket whose message counts in the memory share while it arrives."""

    def __init__(self, memory: MemoryShare, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._memory = memory
        self._holding: Holding | None = None
        self._arriving = 0
        self.progress = Progress()

    def data_received(self, data: bytes) -> None:
        self._arriving += len(data)
        if self.handshake_complete and not self._hold():
            self.conn.fail(1013, "too many large requests at once")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            return
        super().data_received(data)

    def _hold(self) -> bool:
        """Half of the longest message: one of an image that is accepted is no longer. The client is the one that a
        trusted proxy names: uvicorn has put it into the scope before the handshake ended."""
        if self._holding is None and self._arriving > MOST_HEAD_BYTES:
            client = self.scope.get("client")
            address = client_network(client[0] if client else None)
            self._holding = self._memory.reserve(self.config.ws_max_size // 2, address=address)
            return self._holding is not None
        return True

    def send_receive_event_to_app(self) -> None:
        self._arriving = 0
        self._give_back()
        super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_back()
        super().connection_lost(exc)

    def _give_back(self) -> None:
        if self._holding is not None:
            self._memory.give_back(self._holding)
            self._holding = None


class Progress:
    """How much of what was written to a socket its client takes."""

    def __init__(self) -> None:
        self._left, self._since = 0, 0.0

    def is_too_slow(self, left: int, now: float, *, seconds: float) -> bool:
        """left: bytes that wait for the client. True where fewer than LEAST_BYTES_A_SECOND went in so many seconds.

        What is written meanwhile makes `left` grow: then the time begins anew, and the writer waits for the client
        before it writes more.
        """
        went = self._left - left
        if not left or went < 0 or went >= LEAST_BYTES_A_SECOND * seconds:
            self._left, self._since = left, now
        return bool(left) and now - self._since > seconds


class WatchedServer(uvicorn.Server):
    """uvicorn's server that looks after its connections once a second."""

    def __init__(self, config: uvicorn.Config, rules: ConnectionRules) -> None:
        super().__init__(config)
        self._rules = rules

    async def on_tick(self, counter: int) -> bool:
        if counter % round(LOOK_SECONDS / 0.1) == 0:
            look_after(self.server_state.connections, self._rules)
        return await super().on_tick(counter)


def look_after(connections: Iterable[Any], rules: ConnectionRules) -> None:
    """Closes those whose request does not come and those whose answer is not taken."""
    now = asyncio.get_running_loop().time()
    for connection in list(connections):
        transport = connection.transport
        left = transport.get_write_buffer_size()
        if connection.progress.is_too_slow(left, now, seconds=rules.send_timeout_seconds):
            logger.warning("an answer was not taken in time; %d bytes of it were left", left)
            transport.abort()
        elif isinstance(connection, HttpConnection):
            connection.look(now)
