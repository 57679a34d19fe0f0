"""Bodies as hostile or clumsy clients send them, byte by byte over a socket."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import select
import socket
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server, make_channel, make_user, serving
from tests.support.wire import connected, read_to_end

BOUNDARY = "xX-boundary-Xx"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with tight limits: one engine thread, no queue, a megabyte of everything."""
    folder = tmp_path_factory.mktemp("narrow")
    limits = {
        "max_image_bytes": 400_000,
        "max_drain_bytes": 1_000_000,
        "max_buffered_bytes": 1_000_000,
        "max_metadata_bytes": 100_000,
        "easyar_max_image_bytes": 100_000,
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
        with connected(narrow) as wire:
            wire.sendall(head("FindImage", 50_000_000) + part("image", b"x" * 1_500_000))
            answer = read_to_end(wire)
        # The kernel resets a connection that is closed with bytes unread; what was read before it must fit.
        assert not answer or (b'"returncode":20006' in answer and b"connection: close" in answer)
        assert narrow.client.get("/health").status_code == 200

    def test_beyond_the_drain_without_file(self, narrow: Server) -> None:
        with connected(narrow) as wire:
            wire.sendall(head("GetImages", 50_000_000) + part("image", b"x" * 1_500_000))
            answer = read_to_end(wire)
        assert not answer or b'"returncode":20010' in answer

    def test_memory_share(self, narrow: Server, carol: Caller) -> None:
        """Bodies that wait hold a megabyte at most together; more are told busy, and later ones are served."""
        body = form_of(*fields_of(carol, channel="carols"), part("image", b"x" * 300_000))
        # The server gives slow bodies up after a while, and reads them when it comes to it: several tries.
        for _ in range(20):
            slow = [connected(narrow) for _ in range(3)]
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
        with connected(narrow) as wire:
            wire.sendall(head("FindImage", 1_000) + b"--")
            assert b'"returncode":20005' in read_to_end(wire)
        assert narrow.call("GetImages", carol, channel="carols")["totalcount"] == 0

    def test_connection_lost(self, narrow: Server, carol: Caller) -> None:
        for _ in range(5):
            with connected(narrow) as wire:
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
    @pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"[" * 100_000, b'{"a": "\xff"}', b'{"channel":1e999}'])
    def test_bad_json(self, server: Server, body: bytes) -> None:
        assert send(server, "GetImages", body, kind="application/json")["returncode"] == 20010

    def test_a_field_that_nobody_knows(self, server: Server, alice: Caller, books: str) -> None:
        """Its value is of no interest, and refuses nothing."""
        body = json.dumps({**alice.fields, "channel": books, "rate": 0}).replace('"rate": 0', '"rate": 1e999')
        assert send(server, "GetImages", body.encode(), kind="application/json")["returncode"] == 0

    def test_bad_form(self, server: Server) -> None:
        many = b"&".join(b"a=1" for _ in range(2_000))
        assert send(server, "GetImages", many, kind="application/x-www-form-urlencoded")["returncode"] == 20010
        assert (
            send(server, "GetImages", b"%ff=%ff&&==", kind="application/x-www-form-urlencoded")["returncode"] == 20001
        )

    def test_other_types(self, server: Server) -> None:
        assert send(server, "GetImages", b"<xml/>", kind="application/xml")["returncode"] == 20010

    def test_a_name_twice(self, server: Server, alice: Caller, books: str) -> None:
        """As in a form: neither is taken. What a filter in front has looked at must not be another value than ours."""
        start = json.dumps({**alice.fields, "channel": books})[:-1]
        body = f'{start}, "channel": {json.dumps(books)}}}'.encode()
        assert send(server, "GetImages", body, kind="application/json")["returncode"] == 20003

    def test_nested_values(self, server: Server, alice: Caller) -> None:
        for channel in ({"a": 1}, ["books"], [[]]):
            body = {**alice.fields, "channel": channel}
            assert server.client.post("/GetImages", json=body).json()["returncode"] == 20003
        for channel in (None, True, 12.5):
            body = {**alice.fields, "channel": channel}
            assert server.client.post("/GetImages", json=body).json()["returncode"] == 20003


class TestFileNames:
    """A browser, an old camera and a script each call the file in an encoding of their own; nobody needs the name."""

    @pytest.mark.parametrize(
        "name",
        [
            "图片.jpg".encode("gbk"),
            "Übersicht.jpg".encode("latin-1"),
            "写真.jpg".encode("shift-jis"),
            "写真.jpg".encode(),
            b"\xff\xfe\x00",
            b"a\\b.jpg",
            b"C:\\Pictures\\a.jpg",
            b"a%22b.jpg",
        ],
    )
    def test_any_encoding(self, server: Server, alice: Caller, books: str, name: bytes) -> None:
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="'.encode() + name + b'"\r\n\r\n'
        )
        body = form_of(head + photo_of(1) + b"\r\n", *fields_of(alice, channel=books))
        assert send(server, "FindImage", body) == {"returncode": 0, "identifier": "one.1"}

    def test_other_headers(self, server: Server, alice: Caller, books: str) -> None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"\r\nX-Made-By: '.encode()
        body = form_of(
            head + "图片".encode("gbk") + b"\r\n\r\n" + photo_of(1) + b"\r\n", *fields_of(alice, channel=books)
        )
        assert send(server, "FindImage", body) == {"returncode": 0, "identifier": "one.1"}

    @pytest.mark.parametrize(
        "head",
        [
            b"\xb9\xb9\xb9",
            b"Content-Disposition\xff: form-data",
            b"Content-Disposition: \xb9",
            b"Content-Type: image/jpeg; charset=\xb9\xb9",
            b"Content-Length: \xb9",
            b"\n: x",
            b"a" * 9_000,
        ],
    )
    def test_what_is_told_is_a_sentence(self, server: Server, head: bytes) -> None:
        """Never the bytes that were met, as Python writes them."""
        answer = send(
            server, "FindImage", f"--{BOUNDARY}\r\n".encode() + head + f"\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode()
        )
        assert answer["returncode"] == 20005
        assert not {"\\", "'", '"', "Error"} & set(answer["message"])
        assert "b'" not in answer["message"]


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A megabyte for all bodies together, and much patience with each."""
    folder = tmp_path_factory.mktemp("tight")
    limits = {"max_image_bytes": 400_000, "max_buffered_bytes": 1_000_000, "body_stall_seconds": 600}
    limits |= {"max_metadata_bytes": 100_000, "easyar_max_image_bytes": 100_000, "body_timeout_seconds": 600}
    with serving(folder / "data", log=folder / "log", **limits) as running:
        yield running


class TestShare:
    """Memory of bodies: whole or not at all, and not for those that stand still."""

    def test_what_never_finishes_gives_way(self, tight: Server) -> None:
        """Unfinished bodies, of whom nobody knows who sends them, do not keep others out until their time is over."""
        body = form_of(part("image", b"x" * 390_000))
        for _ in range(10):  # where ours came between them, they did not hold all there is
            with contextlib.ExitStack() as opened:
                stuck = [opened.enter_context(connected(tight)) for _ in range(2)]
                for wire in stuck:
                    wire.sendall(head("FindImage", len(body)) + body[:-1])
                time.sleep(0.3)
                for _ in range(30):
                    code = send(tight, "FindImage", body)["returncode"]
                    told, _, _ = select.select(stuck, [], [], 0.1)
                    if told:
                        assert code == 20001
                        assert b'"returncode":20015' in read_until(told[0], b"}")
                        return
        pytest.fail("no place was made")

    def test_small_ones_pass(self, tight: Server) -> None:
        """Lists and removals go on while photos hold all there is."""
        body = form_of(part("image", b"x" * 390_000))
        with contextlib.ExitStack() as opened:
            for wire in [opened.enter_context(connected(tight)) for _ in range(2)]:
                wire.sendall(head("FindImage", len(body)) + body[:-1])
            assert send(tight, "GetImages", form_of(part("channel", b"x")))["returncode"] == 20001

    def test_of_many_at_once_as_many_pass_as_fit(self, tight: Server) -> None:
        """They must not each take a part until all are refused the rest."""
        body = form_of(part("image", b"x" * 390_000))
        with contextlib.ExitStack() as opened:
            wires = [opened.enter_context(connected(tight)) for _ in range(12)]
            for start in range(0, len(body), 100_000):
                for wire in wires:
                    wire.sendall((head("FindImage", len(body)) if not start else b"") + body[start : start + 100_000])
            codes = [json.loads(read_until(wire, b"}").partition(b"\r\n\r\n")[2])["returncode"] for wire in wires]
        assert codes.count(20001) >= 2
        assert set(codes) <= {20001, 20015}

    def test_given_back(self, tight: Server) -> None:
        """Whatever was wrong with them, bodies leave nothing behind."""
        body = form_of(part("image", b"x" * 390_000))
        bad = [body[:-20], body[:1_000] + b"--" + body[1_000:], body + body, form_of(part("image", b"x" * 900_000))]
        for wrong in bad * 3:
            assert send(tight, "FindImage", wrong)["returncode"] in (20001, 20005)
        for _ in range(5):
            with connected(tight) as wire:
                wire.sendall(head("FindImage", len(body)) + body[:300_000])
        for _ in range(100):
            if (code := send(tight, "FindImage", body)["returncode"]) != 20015:
                break
            time.sleep(0.1)
        assert code == 20001

    def test_without_a_length(self, tight: Server) -> None:
        """In chunks: as much as the method may need is reserved."""
        pieces = [form_of(part("image", b"x" * 100_000))]
        kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        for _ in range(5):
            answer = tight.client.post("/FindImage", content=iter(pieces), headers=kind).json()
            assert answer["returncode"] == 20001


class TestArrival:
    def test_too_slow(self, tmp_path: Path) -> None:
        """A body that drips is given up long before the time for a whole one is over."""
        with serving(tmp_path / "data", log=tmp_path / "log", body_stall_seconds=3, body_timeout_seconds=600) as server:
            with connected(server) as wire:
                wire.sendall(head("FindImage", 100_000))
                answer = b""
                for _ in range(300):
                    wire.settimeout(0.1)
                    with contextlib.suppress(TimeoutError, ConnectionError):
                        wire.sendall(b"-")
                        answer += (data := wire.recv(4096))
                        if not data:
                            break
            assert b"fewer than 1000 bytes a second" in answer
            with connected(server) as wire:  # fast enough, for longer than that
                for start in range(0, len(body := form_of(part("image", b"x" * 30_000))), 1_500):
                    wire.sendall((head("FindImage", len(body)) if not start else b"") + body[start : start + 1_500])
                    time.sleep(0.15)
                assert b'"returncode":20001' in read_until(wire, b"}")

    def test_the_server_stops(self, tmp_path: Path) -> None:
        """A request that is cut off by the stop is told so in its own language."""
        with serving(tmp_path / "data", log=tmp_path / "log", stop_timeout_seconds=1) as server:
            with connected(server) as kivicube, connected(server) as easyar, connected(server) as token:
                kivicube.sendall(head("FindImage", 100_000) + b"--")
                kind = b"Content-Type: application/json\r\n"
                easyar.sendall(b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n" + kind + b"\r\n{")
                token.sendall(b"POST /token/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n" + kind + b"\r\n{")
                server.client.get("/health")
                assert server.stop() == 0
                told = read_to_end(kivicube), read_to_end(easyar), read_to_end(token)
            assert b'"returncode":20015' in told[0]
            assert b'"statusCode":21' in told[1]
            assert b'"statusCode":21' in told[2]
            assert all(b"etry-" in answer or b"retry-after" in answer for answer in told)


def read_until(wire: socket.socket, end: bytes) -> bytes:
    answer = b""
    while not answer.endswith(end):
        data = wire.recv(65536)
        assert data, answer
        answer += data
    return answer


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
