"""Images fetched from addresses that clients name: what is let through, and what an attacker gets."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import logging
import socket
import threading
import time
from typing import Any

import pytest

from api.edge import fetch
from api.edge.fetch import MOST_AT_ONCE, MOST_REDIRECTS, Fetcher, is_public
from api.edge.limits import MemoryShare
from api.errors import BodyTooLarge, Busy, NotFetched
from api.settings import Settings
from tests.support.web import told as answer
from tests.support.web import web

IMAGE = b"\xff\xd8\xff" + bytes(range(256)) * 20


def told(request: http.server.BaseHTTPRequestHandler, body: bytes = IMAGE, **more: Any) -> None:
    answer(request, body, **more)


def settings(**chosen: Any) -> Settings:
    return Settings(**{"image_url": True, "max_image_bytes": 10_000, "image_url_hosts": ("127.0.0.1",), **chosen})


def fetched(url: str, *, share: MemoryShare | None = None, **chosen: Any) -> bytes:
    share = share or MemoryShare(1_000_000)

    async def run() -> bytes:
        fetcher = Fetcher(settings(**chosen), share)
        try:
            async with fetcher.image("image_url", url, client="here") as image:
                assert share.held == len(image)
                return image
        finally:
            fetcher.close()

    try:
        return asyncio.run(run())
    finally:
        assert share.held == 0


def test_an_image() -> None:
    """Asked for as it is, by its own host, without a fragment; redirects are followed."""
    asked: list[tuple[str, str | None, str | None]] = []

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append((request.path, request.headers["Host"], request.headers["Accept-Encoding"]))
        if request.path == "/a":
            told(request, b"elsewhere", status=302, Location="/b?c=d#e")
        else:
            told(request)

    with web(respond) as base:
        assert fetched(f"{base}/a") == IMAGE
        host = base.removeprefix("http://")
    assert asked == [("/a", host, "identity"), ("/b?c=d", host, "identity")]


def test_an_operators_host() -> None:
    """By the name that it was given, and no other one of the same machine."""
    with web(told) as base:
        port = base.rsplit(":", 1)[1]
        assert fetched(f"http://LocalHost:{port}/", image_url_hosts="localhost, pictures.example") == IMAGE
        with pytest.raises(NotFetched):
            fetched(f"{base}/", image_url_hosts="localhost")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "image.jpg",
            "/etc/passwd",
            "file:///etc/passwd",
            "ftp://example.com/a.jpg",
            "gopher://127.0.0.1:6379/_x",
        ),
        *("http://", "http:///a", "http://user:word@example.com/a.jpg", "http://[::1", "http://a:99999/", "data:,a"),
        *(
            "http://\ufffd\ufffd/",
            "http://example.com:port/",
            "jar:http://a!/b",
            "http://a b/",
            "\0",
            "http://0177.0.0.1/",
        ),
        *("http://" + "a" * 70 + ".example/", "http://" + ".".join(["a"] * 200) + "/", "http://-./", "http://../"),
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(NotFetched, match="image_url cannot be fetched"):
        fetched(url)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "0", "[::]"),
        *("[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "10.0.0.1"),
        *("192.168.1.1", "172.16.0.1", "100.64.0.1", "[fd00::1]", "[fe80::1]", "224.0.0.1", "255.255.255.255"),
    ],
)
def test_private_addresses(host: str, caplog: pytest.LogCaptureFixture) -> None:
    """However they are written, with a server that would answer; the log says why, the client is not told."""
    with web(told) as base:
        port = base.rsplit(":", 1)[1]
        with caplog.at_level(logging.WARNING), pytest.raises(NotFetched) as caught:
            fetched(f"http://{host}:{port}/", image_url_hosts=())
    assert str(caught.value) == "image_url cannot be fetched: it leads to no public address that answers"
    assert "was not fetched" in caplog.text


def test_nothing_is_told_apart() -> None:
    """A port that refuses and an address that is not allowed read alike."""
    with contextlib.closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        texts = set()
        for hosts in ((), ("127.0.0.1",)):
            with pytest.raises(NotFetched) as caught:
                fetched(f"http://127.0.0.1:{held.getsockname()[1]}/", image_url_hosts=hosts)
            texts.add(str(caught.value))
    assert len(texts) == 1


@pytest.mark.parametrize(
    "target", ["http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "file:///etc/passwd"]
)
def test_redirected_within(target: str) -> None:
    """A host that is let through leads to one that is not: judged anew, and never asked."""
    asked: list[str] = []

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        port = request.server.server_address[1]  # type: ignore[index]
        told(request, b"", status=301, Location=target.format(port=port))

    with web(respond) as base, pytest.raises(NotFetched):
        fetched(f"{base}/start")
    assert asked == ["/start"]


def test_redirected_for_ever() -> None:
    asked: list[str] = []

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        told(request, b"", status=307, Location=f"/{len(asked)}")

    with web(respond) as base, pytest.raises(NotFetched, match="redirected more than"):
        fetched(f"{base}/")
    assert len(asked) == 1 + MOST_REDIRECTS


def test_names_that_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once for each connection, and the connection goes to what was judged: a second look-up, which
    would lead within, never happens."""
    looked_up: list[str] = []
    connected: list[str] = []
    real = socket.getaddrinfo

    def changing(host: str, port: int, **_: Any) -> Any:
        looked_up.append(host)
        return real("93.184.215.14" if len(looked_up) == 1 else "127.0.0.1", port, type=socket.SOCK_STREAM)

    class Network:
        async def connect_tcp(self, host: str, *_: Any) -> Any:
            connected.append(host)
            raise OSError("no network here")

    monkeypatch.setattr(fetch.socket, "getaddrinfo", changing)
    monkeypatch.setattr(fetch.httpcore, "AnyIOBackend", Network)
    for _ in range(2):
        with pytest.raises(NotFetched):
            fetched("http://rebinding.example/", image_url_hosts=())
    assert looked_up == ["rebinding.example"] * 2
    assert connected == ["93.184.215.14"]


def test_one_private_address_among_public_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(_: str, port: int, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("93.184.215.14", "10.0.0.1")]

    monkeypatch.setattr(fetch.socket, "getaddrinfo", both)
    with pytest.raises(NotFetched):
        fetched("http://both.example/", image_url_hosts=())


def test_too_many_bytes() -> None:
    """Told beforehand, or found while they come: no more than the limit is kept."""
    sent = [0]

    def endless(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(bytes(4096))
            sent[0] += 4096

    with web(endless) as base, pytest.raises(BodyTooLarge):
        fetched(f"{base}/")
    assert sent[0] < 50_000_000
    with web(lambda request: told(request, b"", Content_Length="5000000000")) as base, pytest.raises(BodyTooLarge):
        fetched(f"{base}/")
    enormous = "9" * 40
    refused = pytest.raises((BodyTooLarge, NotFetched))
    with web(lambda request: told(request, b"", Content_Length=enormous)) as base, refused:
        fetched(f"{base}/")


@pytest.mark.parametrize("before", [0, 1])
def test_slow(before: int) -> None:
    """Headers or a body that come byte by byte end at the limit of time, whatever came until then."""

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        if before:
            request.send_response(200)
            request.end_headers()
        for _ in range(100):
            request.wfile.write(b"a")
            request.wfile.flush()
            time.sleep(0.05)

    with web(respond) as base, pytest.raises(NotFetched, match=r"within 0\.3 s"):
        fetched(f"{base}/", image_url_seconds=0.3)


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500])
def test_other_answers(status: int) -> None:
    with (
        web(lambda request: told(request, b"", status=status)) as base,
        pytest.raises(NotFetched, match=f"HTTP {status}"),
    ):
        fetched(f"{base}/")


def test_no_web_server() -> None:
    """What answers something else is not spoken to further."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def greet() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                connection.sendall(b"220 mail.example ESMTP\r\n" * 10)
                connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(NotFetched):
            fetched(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()


def test_shares() -> None:
    """So many at once, within the memory of bodies."""
    with web(told) as base:
        with pytest.raises(Busy):
            fetched(f"{base}/", share=MemoryShare(15_000), max_image_bytes=20_000)

        async def many() -> list[bytes | BaseException]:
            fetcher = Fetcher(settings(), MemoryShare(1_000_000))

            async def one() -> bytes:
                async with fetcher.image("image_url", f"{base}/", client="") as image:
                    return image

            try:
                return await asyncio.gather(*(one() for _ in range(MOST_AT_ONCE + 3)), return_exceptions=True)
            finally:
                fetcher.close()

        results = asyncio.run(many())
    assert sum(result == IMAGE for result in results) == MOST_AT_ONCE
    assert sum(isinstance(result, Busy) for result in results) == 3


def test_is_public() -> None:
    assert is_public("93.184.215.14")
    assert is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    for address in (
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "2001:0:7f00:1::",
        "no address",
        "ff02::1",
        "240.0.0.1",
        "fec0::1",
    ):
        assert not is_public(address)
    for address in ("64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1", "::127.0.0.1", "5f00::1", "4000::1"):
        assert not is_public(address)
