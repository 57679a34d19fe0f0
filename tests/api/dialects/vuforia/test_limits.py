"""Limits of requests, the vendor's headers, and what hostile clients send."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.accounts.databases import AccessPair
from api.accounts.vault import Vault
from api.dialects.vuforia.asked import LONGEST_HEADER
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server, make_user, serving
from tests.support.vuforia_client import Vuforia, b64, empty, http_date, make_database, refused, succeeded
from tests.support.wire import connected, read_to_end

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As near to the vendor as settings go, and with little patience."""
    folder = tmp_path_factory.mktemp("strict")
    settings = {"vuforia_rate_limits": True, "vuforia_strict_headers": True, "body_stall_seconds": 1}
    with serving(folder / "data", log=folder / "log", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def strict_owner(strict: Server) -> Caller:
    return make_user(strict.folder, "owner")


@pytest.fixture
def limited(strict: Server, strict_owner: Caller) -> Vuforia:
    return make_database(strict.folder, f"limited-{next(_numbers)}", strict_owner, strict.client)


class TestRates:
    def test_lists(self, limited: Vuforia) -> None:
        """Two a minute; other calls go on."""
        for _ in range(2):
            succeeded(limited.send("GET", "/targets"))
        response = limited.send("GET", "/targets")
        refused(response, 429, "TooManyRequests")
        assert int(response.headers["retry-after"]) >= 1
        succeeded(limited.send("GET", "/summary"))

    def test_before_the_signature(self, limited: Vuforia) -> None:
        """Wrong ones use it up; nobody else's share is touched."""
        wrong = AccessPair(access_key=limited.server.access_key, secret_key="x")
        for _ in range(2):
            refused(limited.with_pairs(server=wrong).send("GET", "/targets"), 401, "AuthenticationFailure")
        refused(limited.with_pairs(server=wrong).send("GET", "/targets"), 429, "TooManyRequests")
        refused(limited.send("GET", "/targets"), 429, "TooManyRequests")

    @pytest.mark.parametrize(("path", "number"), [("/summary", 15), ("/duplicates/x", 10), ("/targets/x", 45)])
    def test_by_the_second(self, limited: Vuforia, path: str, number: int) -> None:
        """More at once are refused, and are let in again soon."""
        started, statuses = time.monotonic(), []
        while 429 not in statuses and len(statuses) < 1000:
            statuses.append(limited.send("GET", path).status_code)
        within = number * (1 + time.monotonic() - started)
        assert number <= len(statuses) - 1 <= within + 1

    def test_queries(self, limited: Vuforia) -> None:
        statuses = [limited.query(flat()).status_code for _ in range(60)]
        assert set(statuses) == {200, 429}
        assert all(status == 200 for status in statuses[:15])

    def test_off_by_default(self, gallery: tuple[Vuforia, dict[str, str]]) -> None:
        for _ in range(20):
            succeeded(gallery[0].send("GET", "/targets"))


class TestStrictHeaders:
    VWS = frozenset(
        {
            *("connection", "content-length", "content-type", "date", "server", "strict-transport-security"),
            *("x-aws-region", "x-content-type-options", "x-envoy-upstream-service-time"),
        }
    )
    VWQ = frozenset({"connection", "content-length", "content-type", "date", "server"})

    def test_management(self, limited: Vuforia) -> None:
        for response in (limited.send("GET", "/summary"), limited.send("GET", "/targets/x")):
            headers = response.headers
            assert set(headers) == self.VWS
            assert (headers["connection"], headers["server"]) == ("keep-alive", "envoy")
            assert headers["strict-transport-security"] == "max-age=31536000"
            assert headers["x-content-type-options"] == "nosniff"
            assert "-" in headers["x-aws-region"]
            assert int(headers["x-envoy-upstream-service-time"]) > 1

    def test_query(self, limited: Vuforia) -> None:
        response = limited.query(photo_of(1))
        assert set(response.headers) == self.VWQ
        assert (response.headers["connection"], response.headers["server"]) == ("keep-alive", "nginx")
        assert set(limited.query(photo_of(1), accept="x").headers) == self.VWQ - {"content-type"}
        assert limited.query(photo_of(1) + b"\0" * 2_200_000).headers["connection"] == "Close"
        assert set(limited.query(photo_of(1), authorization=None).headers) == self.VWQ | {"www-authenticate"}

    def test_long_headers(self, limited: Vuforia) -> None:
        """A page, before everything else; a line that just fits is let in."""
        name = "x-long"
        fits = "x" * (LONGEST_HEADER - len(name) - len(": "))
        for call in (
            lambda **given: limited.send("GET", "/summary", **given),
            lambda **given: limited.query(b"", **given),
        ):
            response = call(authorization=None, x_long=fits + "x")
            assert response.status_code == 400
            assert response.headers["content-type"].startswith("text/html")
            assert call(authorization=None, x_long=fits).status_code == 401

    def test_reasons_are_told_otherwise(self, gallery: tuple[Vuforia, dict[str, str]]) -> None:
        """A header says what the vendor's answer does not; long headers are let in."""
        response = gallery[0].send("POST", "/targets", {"name": "x", "width": 0, "image": b64(picture(20))})
        assert response.headers["x-reason"] == "width: a number above 0"
        assert response.headers["x-request-id"] == response.json()["transaction_id"]
        succeeded(gallery[0].send("GET", "/summary", x_long="x" * 9000))


def half_sent(server: Server, database: Vuforia, path: str) -> bytes:
    """What is answered to a body that does not come to its end."""
    with connected(server) as wire:
        head = f"POST /vuforia{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\nDate: {http_date()}\r\n"
        wire.sendall(f"{head}Authorization: VWS {database.server.access_key}:x\r\n\r\nhalf".encode())
        return read_to_end(wire)


class TestBodies:
    def test_late(self, strict: Server, limited: Vuforia) -> None:
        """A Content-Length that is larger than the body: 408, and 504 of the query; both empty."""
        assert half_sent(strict, limited, "/targets").startswith(b"HTTP/1.1 408 ")
        answer = half_sent(strict, limited, "/v1/query")
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert answer.endswith(b"\r\n\r\n")

    def test_too_short_a_length(self, strict: Server, limited: Vuforia) -> None:
        """What was signed is not what counts as the body."""
        body, date = b'{"width": 2}', http_date()
        signed = limited.authorization(limited.server, "POST", "/targets", body=body, content_type="", date=date)
        with connected(strict) as wire:
            wire.sendall(
                f"POST /vuforia/targets HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nDate: {date}\r\n"
                f"Authorization: {signed}\r\n\r\n".encode()
                + body
            )
            assert read_to_end(wire).startswith(b"HTTP/1.1 401 ")

    @pytest.mark.parametrize("length", ["x", "-1", "1.5", ""])
    def test_no_length(self, strict: Server, length: str) -> None:
        with connected(strict) as wire:
            wire.sendall(f"GET /vuforia/summary HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
            assert read_to_end(wire).startswith(b"HTTP/1.1 400 ")

    def test_chunked(self, gallery: tuple[Vuforia, dict[str, str]]) -> None:
        """A body without a length is read as well."""
        database, ids = gallery
        body, date = b'{"name": ""}', http_date()
        path = f"/targets/{ids['one']}"
        signed = database.authorization(database.server, "PUT", path, body=body, content_type="", date=date)
        response = database.http.put(
            f"/vuforia{path}", content=iter([body]), headers={"authorization": signed, "date": date}
        )
        refused(response, 400, "Fail")

    def test_names_without_end(self, gallery: tuple[Vuforia, dict[str, str]]) -> None:
        body = json.dumps({str(number): 1 for number in range(100_000)}).encode()
        started = time.monotonic()
        refused(gallery[0].send("PUT", f"/targets/{gallery[1]['one']}", body), 400, "Fail")
        assert time.monotonic() - started < 5

    def test_parts_without_end(self, gallery: tuple[Vuforia, dict[str, str]]) -> None:
        body = b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n" * 20_000 + b"--b--\r\n"
        response = gallery[0].send_query(body, content_type="multipart/form-data; boundary=b")
        assert response.status_code == 400
        assert response.text == "The parts of the multipart body cannot be told from each other."

    def test_unprintable_values(self, gallery: tuple[Vuforia, dict[str, str]]) -> None:
        """What comes back of a value can be sent; a header with it is harmless."""
        database, ids = gallery
        response = database.query(photo_of(1), fields={"max_num_results": "\u2028€\t"})
        assert response.status_code == 400
        refused(database.send("PUT", f"/targets/{ids['one']}", {"a\r\nb: c": 1}), 400, "Fail")


class TestFailures:
    def test_wrong_key_file(self, vuforia_server: Server, database: Vuforia, tmp_path: Path) -> None:
        """Fail 500, and no word of why."""
        sealed = Vault(tmp_path).seal("secret")
        with contextlib.closing(sqlite3.connect(vuforia_server.folder / "catalogue.db")) as file, file:
            file.execute(
                "UPDATE target_database SET sealed_server_secret = ?, sealed_client_secret = ? "
                "WHERE server_access_key = ?",
                (sealed, sealed, database.server.access_key),
            )
        for response in (database.send("GET", "/summary"), database.query(photo_of(1))):
            refused(response, 500, "Fail")
            assert "secrets.key" not in str(response.headers)
        assert "secrets.key" in vuforia_server.log_text()

    def test_removed_while_it_is_used(self, vuforia_server: Server, owner: Caller) -> None:
        """A removed channel's keys are unknown."""
        from engine.catalogue import Catalogue

        database = make_database(vuforia_server.folder, "short-lived", owner, vuforia_server.client)
        with contextlib.closing(Catalogue(vuforia_server.folder)) as catalogue:
            catalogue.remove_channel("short-lived")
        refused(database.send("GET", "/summary"), 400, "Fail")
        refused(database.query(photo_of(1)), 401, "AuthenticationFailure")

    def test_only_read(self, tmp_path: Path) -> None:
        """`--read-only`: targets are told and found; changes fail."""
        with serving(tmp_path / "data", log=tmp_path / "log") as running:
            database = make_database(running.folder, "read", make_user(running.folder, "owner"), running.client)
            target_id = database.add(picture(20))
            assert running.stop() == 0
        with serving(tmp_path / "data", "--read-only", log=tmp_path / "log") as running:
            there = Vuforia(http=running.client, server=database.server, client=database.client)
            assert there.get(target_id)["status"] == "success"
            assert there.found(photo_of(20))[0]["target_id"] == target_id
            refused(there.send("DELETE", f"/targets/{target_id}"), 500, "Fail")

    def test_no_header_leaks(self, gallery: tuple[Vuforia, dict[str, str]]) -> None:
        database, _ = gallery
        empty(database.send("GET", "/summary", {"a": 1}), 400)
        text = str(database.send("GET", "/targets/x").headers)
        assert database.server.secret_key not in text
