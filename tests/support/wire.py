"""A server's socket, for requests that no HTTP client would send."""

from __future__ import annotations

import contextlib
import socket
import urllib.parse

from tests.support.running_server import Server


def connected(server: Server) -> socket.socket:
    url = urllib.parse.urlsplit(server.base)
    return socket.create_connection((url.hostname, url.port), timeout=30)


def read_to_end(wire: socket.socket) -> bytes:
    """All that comes until the server closes the connection; a reset ends it too."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while data := wire.recv(65536):
            answer += data
    return answer
