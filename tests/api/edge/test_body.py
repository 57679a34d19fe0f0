"""Bodies as hostile or clumsy clients send them, byte by byte over a socket."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import time
import urllib.parse
from collections.abc import Iterator

import httpx
import pytest

from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server, make_channel, make_user, serving

BOUNDARY = "xX-boundary-Xx"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with tight limits: one engine thread, no queue, a megabyte of everything."""
    folder = tmp_path_factory.mktemp("narrow")
    limits = {
        "max_image_bytes": 400_000,
        "max_drain_bytes": 1_000_000,
        "max_buffered_bytes": 1_000_000,
        "body_timeout_seconds": 1.5,
        "engine_workers": 1,
        "engine_queue": 0,
    }
    with serving(folder / "data", log=folder / "log", **limits) as running:
        yield running


@pytest.fixture(scope="module")
def carol(narrow: Server) -> Caller:
    user = make_user(narrow.folder, "carol")
    make_channel(narrow.folder, "carols", user)
    return user


def part(name: str, value: bytes, *, extra: str = "") -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value + b"\r\n"


def form_of(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def fields_of(user: Caller, **more: str) -> list[bytes]:
    return [part(name, value.encode()) for name, value in {**user.fields, **more}.items()]


def send(server: Server, method: str, body: bytes, *, kind: str = f"multipart/form-data; boundary={BOUNDARY}") -> dict:
    response = server.client.post(f"/{method}", content=body, headers={"content-type": kind})
    assert response.status_code == 200
    return response.json()


def connection(server: Server) -> socket.socket:
    url = urllib.parse.urlsplit(server.base)
    return socket.create_connection((url.hostname, url.port), timeout=20)


def read_to_end(wire: socket.socket) -> bytes:
    """All that comes until the server closes the connection; a reset ends it too."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while data := wire.recv(65536):
            answer += data
    return answer


def head(method: str, length: int) -> bytes:
    return (
        f"POST /{method} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    ).encode()


class TestLimits:
    """K11 of docs/kivicube-ambiguities.md: limits hold while receiving, and the client gets to read the answer."""

    def test_oversize_is_drained(self, server: Server, alice: Caller, books: str) -> None:
        """The connection stays usable after twenty megabytes too many."""
        body = form_of(part("image", b"x" * 20_000_000), *fields_of(alice, channel=books))
        assert send(server, "FindImage", body)["returncode"] == 20006
        assert server.call("GetImages", alice, channel=books)["totalcount"] == 3

    def test_file_counts_alone(self, server: Server, alice: Caller, channel: str) -> None:
        image = picture(30) + b"\0" * (400_000 - len(picture(30)))
        metadata = "m" * 1_500_000
        assert server.code("AddImage", alice, image, channel=channel, identifier="abc", metadata=metadata) == 0

    def test_credentials_win_over_size(self, server: Server) -> None:
        body = form_of(part("image", b"x" * 2_000_000), part("username", b"a"), part("secretkey", b"b"))
        assert send(server, "FindImage", body)["returncode"] == 20001

    def test_beyond_the_drain_the_connection_ends(self, narrow: Server) -> None:
        with connection(narrow) as wire:
            wire.sendall(head("FindImage", 50_000_000) + part("image", b"x" * 1_500_000))
            answer = read_to_end(wire)
        # The kernel resets a connection that is closed with bytes unread; what was read before it must fit.
        assert not answer or (b'"returncode":20006' in answer and b"connection: close" in answer)
        assert narrow.client.get("/health").status_code == 200

    def test_beyond_the_drain_without_file(self, narrow: Server) -> None:
        with connection(narrow) as wire:
            wire.sendall(head("GetImages", 50_000_000) + part("image", b"x" * 1_500_000))
            answer = read_to_end(wire)
        assert not answer or b'"returncode":20010' in answer

    def test_memory_share(self, narrow: Server, carol: Caller) -> None:
        """Bodies that wait hold a megabyte at most together; more are told busy, and later ones are served."""
        body = form_of(*fields_of(carol, channel="carols"), part("image", b"x" * 300_000))
        # The server gives slow bodies up after a while, and reads them when it comes to it: several tries.
        for _ in range(20):
            slow = [connection(narrow) for _ in range(3)]
            try:
                for wire in slow:
                    wire.sendall(head("FindImage", 390_000) + part("image", b"x" * 330_000))
                time.sleep(0.2)
                busy = send(narrow, "FindImage", body)["returncode"] == 20015
            finally:
                for wire in slow:
                    wire.close()
            if busy:
                break
        assert busy
        for _ in range(100):
            if (code := send(narrow, "FindImage", body)["returncode"]) != 20015:
                break
        assert code == 20007

    def test_slow_body(self, narrow: Server, carol: Caller) -> None:
        """A body that does not arrive in time is given up."""
        with connection(narrow) as wire:
            wire.sendall(head("FindImage", 1_000) + b"--")
            assert b'"returncode":20005' in read_to_end(wire)
        assert narrow.call("GetImages", carol, channel="carols")["totalcount"] == 0

    def test_connection_lost(self, narrow: Server, carol: Caller) -> None:
        for _ in range(5):
            with connection(narrow) as wire:
                wire.sendall(head("FindImage", 100_000) + part("image", b"x" * 1_000))
        assert narrow.call("GetImages", carol, channel="carols")["totalcount"] == 0
        assert "Traceback" not in narrow.log_text()


class TestMultipart:
    def test_order_of_parts(self, server: Server, alice: Caller, books: str) -> None:
        image, fields = part("image", photo_of(1)), fields_of(alice, channel=books)
        for body in (form_of(image, *fields), form_of(*fields, image), form_of(fields[0], image, *fields[1:])):
            assert send(server, "FindImage", body) == {"returncode": 0, "identifier": "one.1"}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"no multipart at all",
            f"--{BOUNDARY}\r\n".encode(),
            part("image", b"x"),  # never closed
            f"--{BOUNDARY}\r\nContent-Disposition: attachment\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
            f"--{BOUNDARY}\r\n{'X-Header: 1' * 2000}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
            f'--{BOUNDARY}\r\nContent-Length: 99999999\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n'
            f"--{BOUNDARY}--\r\n".encode(),
            form_of(*[part(f"p{n}", b"") for n in range(1_200)]),
            form_of(part("image", b"a"), part("image", b"b")),
        ],
    )
    def test_broken(self, server: Server, body: bytes) -> None:
        """20005 where a file is needed; elsewhere no code fits but 20010. The reason is told."""
        for method, code in (("FindImage", 20005), ("AddImage", 20005), ("GetImages", 20010)):
            answer = send(server, method, body)
            if method == "GetImages" and body.count(b'name="image"') > 0 and body.endswith(b"--\r\n"):
                continue  # a part that the method does not know is skipped unread
            assert answer["returncode"] == code, answer
            assert answer["message"]

    @pytest.mark.parametrize(
        "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x", ""]
    )
    def test_headers(self, server: Server, kind: str) -> None:
        assert send(server, "FindImage", form_of(part("image", b"x")), kind=kind)["returncode"] == 20005

    def test_field_twice(self, server: Server, alice: Caller, bob: Caller, books: str) -> None:
        """Two values contradict each other; neither is taken, so no filter in front can be fooled."""
        twice = [*fields_of(alice, channel=books), *fields_of(bob)]
        assert send(server, "GetImages", form_of(*twice))["returncode"] == 20001
        twice = [*fields_of(alice, channel=books), part("channel", b"bobs")]
        assert send(server, "GetImages", form_of(*twice))["returncode"] == 20003
        query = urllib.parse.urlencode([*alice.fields.items(), ("channel", books), ("channel", books)])
        assert (
            send(server, "GetImages", query.encode(), kind="application/x-www-form-urlencoded")["returncode"] == 20003
        )

    @pytest.mark.usefixtures("books")
    def test_overlong_channel_is_not_no_channel(self, server: Server, alice: Caller) -> None:
        """It must not widen a search to all channels."""
        assert server.code("FindImage", alice, photo_of(1), channel="c" * 5_000) == 20003

    def test_query_is_no_form(self, server: Server, alice: Caller, books: str) -> None:
        query = urllib.parse.urlencode({**alice.fields, "channel": books})
        assert server.client.post(f"/GetImages?{query}").json()["returncode"] == 20001
        assert alice.full.secretkey not in server.log_text()


class TestOtherEncodings:
    @pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"[" * 100_000, b'{"a": "\xff"}', b'{"a":1e999}'])
    def test_bad_json(self, server: Server, body: bytes) -> None:
        assert send(server, "GetImages", body, kind="application/json")["returncode"] == 20010

    def test_bad_form(self, server: Server) -> None:
        many = b"&".join(b"a=1" for _ in range(2_000))
        assert send(server, "GetImages", many, kind="application/x-www-form-urlencoded")["returncode"] == 20010
        assert (
            send(server, "GetImages", b"%ff=%ff&&==", kind="application/x-www-form-urlencoded")["returncode"] == 20001
        )

    def test_other_types(self, server: Server) -> None:
        assert send(server, "GetImages", b"<xml/>", kind="application/xml")["returncode"] == 20010

    def test_nested_values(self, server: Server, alice: Caller) -> None:
        for channel in ({"a": 1}, ["books"], [[]]):
            body = {**alice.fields, "channel": channel}
            assert server.client.post("/GetImages", json=body).json()["returncode"] == 20003
        for channel in (None, True, 12.5):
            body = {**alice.fields, "channel": channel}
            assert server.client.post("/GetImages", json=body).json()["returncode"] == 20003


class TestBusy:
    """K9 of docs/kivicube-ambiguities.md: refused at once, with advice, while the process stays alive."""

    def test_admission(self, narrow: Server, carol: Caller) -> None:
        with concurrent.futures.ThreadPoolExecutor(8) as pool, httpx.Client(base_url=narrow.base) as other:
            calls = [pool.submit(narrow.post, "FindImage", carol, photo_of(31)) for _ in range(8)]
            assert other.get("/health", timeout=2).status_code == 200
            answers = [call.result() for call in calls]
        codes = [answer.json()["returncode"] for answer in answers]
        assert 0 in codes
        assert set(codes) == {0, 20015}
        refused = next(answer for answer in answers if answer.json()["returncode"] == 20015)
        assert refused.status_code == 200
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-request-id"] in refused.json()["message"]
        assert 'obverse_lane_refused{lane="engine"} 0.0' not in narrow.client.get("/metrics").text
