"""The load that a server is measured under, against a server that answers from a list."""

from __future__ import annotations

import http.server
import itertools
import json
import threading
from collections.abc import Iterator

import pytest

from benchmarks.speed.load import BUSY, measure, multipart_body, percentile

ANSWERS = (
    {"returncode": 0, "identifier": "a"},
    {"returncode": 0},
    {"returncode": BUSY},
    {"returncode": 10001},
)


class Server(http.server.ThreadingHTTPServer):
    """Gives ANSWERS by turns, and tells its memory."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.turns = itertools.cycle(ANSWERS)
        self.bodies: list[bytes] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply(json.dumps(next(self.server.turns)).encode())

    def do_GET(self) -> None:
        self.reply(b"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 1.5e8\n")

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


class TestMeasure:
    def test_counts(self, server: Server) -> None:
        """Answers are counted by what they say; times are those of the answers that were served."""
        bodies = [multipart_body({"channel": "books"}, b"photo")]
        found = measure(f"http://127.0.0.1:{server.server_address[1]}", bodies, clients=1, seconds=0.3)
        whole = len(server.bodies) // len(ANSWERS)
        assert whole > 0
        assert set(server.bodies) == set(bodies)
        assert 2 * whole <= found.served <= 2 * whole + 2
        assert whole <= found.matched <= whole + 1
        assert whole <= found.busy <= whole + 1
        assert found.other_codes == {"10001": whole}
        assert found.p50_ms is not None
        assert found.p95_ms is not None
        assert 0 < found.p50_ms <= found.p95_ms
        assert (found.memory_before, found.memory_after) == (1.5e8, 1.5e8)


def test_percentile() -> None:
    """The least time within which that share came; nothing of nothing."""
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.5, 0.99)] == [1, 3, 4]
    assert percentile([], 0.5) is None
