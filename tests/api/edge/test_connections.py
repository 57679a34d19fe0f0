"""Connections: those that say nothing, those that do not read, those that are too many, and heads without end."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import resource
import socket
import struct
import time
import urllib.parse
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from api.edge.connections import MOST_HEAD_BYTES, MOST_HEADERS, Progress
from api.edge.limits import LEAST_BYTES_A_SECOND
from api.edge.logs import Seldom
from api.server import FILES, connection_rules
from api.settings import Settings
from tests.support.drawn_pictures import picture
from tests.support.running_server import Server, make_channel, make_user, serving
from tests.support.wire import connected, read_to_end

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
MOST = 12


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Little patience, and few connections."""
    folder = tmp_path_factory.mktemp("hasty")
    limits = {
        "header_timeout_seconds": 1,
        "send_timeout_seconds": 2,
        "max_connections": MOST,
        "max_page_bytes": 40_000_000,
    }
    with serving(folder / "data", log=folder / "log", **limits) as running:
        yield running


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Few connections, and all the time in the world."""
    folder = tmp_path_factory.mktemp("patient")
    with serving(
        folder / "data",
        log=folder / "log",
        header_timeout_seconds=600,
        max_connections=MOST,
        max_buffered_bytes=5_000_000,
        max_image_bytes=1_500_000,
        max_metadata_bytes=10_000,
    ) as running:
        yield running


def read_answer(wire: socket.socket) -> bytes:
    """Of /health, on a connection that is kept."""
    answer = b""
    while not answer.endswith(b"}"):
        data = wire.recv(4096)
        assert data, answer
        answer += data
    return answer


def healthy(server: Server) -> bool:
    with connected(server) as wire:
        wire.sendall(HEALTH.replace(b"Host", b"Connection: close\r\nHost"))
        return read_to_end(wire).startswith(b"HTTP/1.1 200")


class TestSilence:
    """What does not send a request is closed after `header_timeout_seconds`."""

    @pytest.mark.parametrize(
        ("sent", "answer"),
        [
            (b"", b""),
            (b"G", b"408"),
            (b"GET /health HTTP/1.1\r\n", b"408"),
            (HEALTH[:-2], b"408"),
            (HEALTH + b"G", b"408"),
            (HEALTH + HEALTH[:-2], b"408"),
        ],
    )
    def test_closed(self, hasty: Server, sent: bytes, answer: bytes) -> None:
        with connected(hasty) as wire:
            wire.sendall(sent)
            told = read_to_end(wire)
        assert told.count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")
        assert answer in told.split(b"HTTP/1.1")[-1][:5]

    def test_a_drop_now_and_then(self, hasty: Server) -> None:
        """The time is of the whole head, not of each byte."""
        with connected(hasty) as wire, contextlib.suppress(OSError):
            for byte in HEALTH * 10:
                wire.sendall(bytes([byte]))
                wire.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    if not wire.recv(100) or byte == 0:
                        break
            else:
                pytest.fail("it was never closed")

    def test_a_body_without_end_behind_an_answer(self, hasty: Server) -> None:
        """An unknown path is answered before the body; its rest keeps the connection for no longer than a head."""
        with connected(hasty) as wire:
            wire.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            answer = b""
            with contextlib.suppress(OSError):
                for _ in range(200):
                    wire.sendall(b"x")
                    wire.settimeout(0.1)
                    with contextlib.suppress(TimeoutError):
                        if not (data := wire.recv(4096)):
                            break
                        answer += data
                else:
                    pytest.fail("it was never closed")
        assert answer.startswith(b"HTTP/1.1 404")

    def test_between_requests(self, hasty: Server) -> None:
        """A kept connection may wait longer than that for its next request."""
        with connected(hasty) as wire, connected(hasty) as silent:
            wire.sendall(HEALTH)
            assert read_answer(wire).startswith(b"HTTP/1.1 200")
            assert read_to_end(silent) == b""  # so long has it lasted
            wire.sendall(HEALTH)
            assert read_answer(wire).startswith(b"HTTP/1.1 200")


class TestHeads:
    @pytest.mark.parametrize(
        "head",
        [
            b"GET /" + b"a" * (MOST_HEAD_BYTES + 1) + b" HTTP/1.1\r\n\r\n",
            b"GET /" + b"a" * (4 * MOST_HEAD_BYTES),
            b"GET / HTTP/1.1\r\nX: " + b"a" * (4 * MOST_HEAD_BYTES),
            b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * (MOST_HEADERS + 1) + b"\r\n",
            b"GET / HTTP/1.1\r\n" + b"X" * (MOST_HEAD_BYTES + 1) + b": 1\r\n\r\n",
        ],
    )
    def test_too_long(self, hasty: Server, head: bytes) -> None:
        with connected(hasty) as wire:
            with contextlib.suppress(OSError):
                wire.sendall(head)
            answer = read_to_end(wire)
        assert not answer or answer.startswith(b"HTTP/1.1 431")
        assert healthy(hasty)

    @pytest.mark.parametrize("trailer", [b"X: 1\r\n" * 10_000, b"X: " + b"a" * 60_000])
    def test_trailers_without_end(self, hasty: Server, trailer: bytes) -> None:
        """Headers behind a body in chunks count as those before it."""
        with connected(hasty) as wire, contextlib.suppress(OSError):
            wire.sendall(b"POST /GetImages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
            for _ in range(2_000):
                wire.sendall(trailer)
            pytest.fail("it read 120 MB of trailers")
        assert healthy(hasty)

    @pytest.mark.parametrize("length", [30_000, 9_000])
    def test_websocket(self, hasty: Server, length: int) -> None:
        """A handshake with an enormous path or header is refused and closed, not left to wait."""
        upgrade = (
            b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        )
        for head in (
            b"GET /services/recognize/" + b"a" * length + b" HTTP/1.1\r\n" + upgrade,
            b"GET /services/recognize/a HTTP/1.1\r\n" + upgrade + b"X: " + b"a" * length + b"\r\n",
        ):
            with connected(hasty) as wire:
                wire.sendall(head + b"\r\n")
                assert read_to_end(wire).startswith(b"HTTP/1.1 431")

    def test_no_http(self, hasty: Server) -> None:
        with connected(hasty) as wire:
            wire.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert read_to_end(wire).startswith(b"HTTP/1.1 400")


class TestTooMany:
    def test_the_silent_make_room(self, patient: Server) -> None:
        """Whoever sends a request is answered, however many connections stay silent."""
        with contextlib.ExitStack() as opened:
            silent = [opened.enter_context(connected(patient)) for _ in range(5 * MOST)]
            for _ in range(50):  # for a moment they may all be about to send something
                if healthy(patient):
                    break
                time.sleep(0.1)
            for _ in range(5):
                assert healthy(patient)
            assert patient.client.get("/ready").status_code == 200
            assert silent

    def test_the_busy_are_kept(self, patient: Server) -> None:
        """Where every connection is in the midst of a request, another is told so at once."""
        user = make_user(patient.folder, "busy")
        head = (
            b"POST /FindImage HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        with contextlib.ExitStack() as opened:
            busy = [opened.enter_context(connected(patient)) for _ in range(MOST)]
            for wire in busy:
                wire.sendall(head)
            answers = []
            for _ in range(50):  # until the server has read them all
                with connected(patient) as wire:
                    with contextlib.suppress(OSError):
                        wire.sendall(HEALTH)
                    answers.append(read_to_end_or_time(wire))
                if answers[-1].startswith(b"HTTP/1.1 503"):
                    break
            else:
                pytest.fail("it was never full")
            assert b"retry-after" in answers[-1]
            told = []
            for wire in busy:
                with contextlib.suppress(OSError):
                    wire.sendall(b"--x--\r\n--")
                told.append(read_to_end(wire))
            # Connections of earlier tests may have taken the place of the last ones.
            assert sum(b'"returncode":20005' in answer for answer in told) >= MOST - 4
            assert all(b'"returncode":20005' in answer or b" 503 " in answer or not answer for answer in told)
        assert patient.code("GetImages", user, channel="none") == 20003

    def test_the_limit_of_open_files(self) -> None:
        """It is raised as far as it may be, and never reached."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(1_000, before[1]), before[1]))
            assert connection_rules(Settings(max_connections=10)).most == 10
            most = connection_rules(Settings(max_connections=2_000)).most
            assert most <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def test_the_log_line_is_tamed(self) -> None:
        """asyncio writes it a thousand times a second, with a trace, while no descriptor is left."""
        seldom, told = Seldom(), []
        for _ in range(500):
            record = logging.LogRecord(
                "asyncio", logging.ERROR, "x", 1, "socket.accept() out of system resource\nsocket: 1", None, None
            )
            record.exc_info = (OSError, OSError(errno.EMFILE, "too many"), None)
            if seldom.filter(record):
                told.append(record)
        assert [(record.getMessage().count("ulimit"), record.exc_info) for record in told] == [(1, None)]
        assert seldom.filter(logging.LogRecord("asyncio", logging.ERROR, "x", 1, "another %s", ("thing",), None))


def read_to_end_or_time(wire: socket.socket) -> bytes:
    """What comes within a short while: a kept connection does not end."""
    wire.settimeout(0.5)
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while data := wire.recv(65536):
            answer += data
    return answer


class TestUnread:
    def test_progress(self) -> None:
        """By what waits for the client; what is written meanwhile begins the time anew."""
        progress, enough = Progress(), LEAST_BYTES_A_SECOND * 2
        assert not progress.is_too_slow(100_000, 0.0, seconds=2)
        assert not progress.is_too_slow(100_000 - enough, 1.9, seconds=2)
        assert not progress.is_too_slow(100_000 - enough - 1, 3.8, seconds=2)
        assert progress.is_too_slow(100_000 - enough - 1, 4.0, seconds=2)
        assert not progress.is_too_slow(200_000, 4.1, seconds=2)
        assert not progress.is_too_slow(0, 99.0, seconds=2)
        assert not progress.is_too_slow(50, 200.0, seconds=2)

    def test_disconnected(self, hasty: Server) -> None:
        """A client that asks for much and does not read is cut off, and what was held for it is given back."""
        user = make_user(hasty.folder, "reader")
        make_channel(hasty.folder, "long", user)
        for number in range(10):
            metadata = "m" * 1_900_000
            assert (
                hasty.code(
                    "AddImage", user, picture(number), channel="long", identifier=f"p.{number}", metadata=metadata
                )
                == 0
            )
        body = urllib.parse.urlencode({**user.fields, "channel": "long"}).encode()
        head = (
            b"POST /GetImages HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        url = urllib.parse.urlsplit(hasty.base)
        with socket.socket() as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.settimeout(60)
            wire.connect((url.hostname, url.port))
            wire.sendall(head + body)
            for _ in range(600):
                if "was not taken in time" in hasty.log_text():
                    break
                time.sleep(0.1)
            else:
                pytest.fail("it was never cut off")
            assert len(read_to_end(wire)) < 19_000_000
        assert len(hasty.call("GetImages", user, channel="long")["images"]) == 10


class TestMessages:
    def test_parts_count_in_the_memory_share(self, patient: Server) -> None:
        """Messages of WebSockets that arrive and never end: where there is no room, another is told to come again."""
        base = patient.base.replace("http", "ws")
        begun = b"\x82\xff" + struct.pack(">Q", 2_900_000) + bytes(4) + bytes(200_000)
        with contextlib.ExitStack() as opened:
            wires = [opened.enter_context(connect(f"{base}/services/recognize/none")) for _ in range(4)]
            codes = []
            for wire in wires:
                wire.socket.sendall(begun)
                try:
                    wire.recv(timeout=1)
                except TimeoutError:
                    codes.append(None)
                except ConnectionClosed as closed:
                    codes.append(closed.rcvd and closed.rcvd.code)
            assert codes == [None, None, None, 1013]
            for wire in wires:
                wire.socket.close()
        for _ in range(100):
            with connect(f"{base}/services/recognize/none") as wire:
                wire.send(b"\x81\xa5image\xc6" + struct.pack(">I", 200_000) + bytes(200_000))
                answer = json.loads(wire.recv(timeout=30))
            if answer["statusCode"] != 21:
                break
        assert answer["statusCode"] == 6
