"""Ping, the form of requests, failures of ours, and the table of codes."""

from __future__ import annotations

import concurrent.futures
import contextlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import pytest

from api.accounts.vault import Vault
from api.dialects.easyar.codes import CODES, FAILED, FAILURES, MEANINGS, row_of
from api.dialects.easyar.contract import OPERATIONS
from api.dialects.easyar.errors import RecordMissing
from api.dialects.easyar.targets import RATES
from engine.errors import ObverseError
from tests.support.drawn import encoded, poster
from tests.support.drawn_pictures import picture
from tests.support.easyar_client import (
    TARGET,
    UNKNOWN,
    EasyAR,
    b64,
    make_app,
    refused,
    signed,
    succeeded,
)
from tests.support.paths import ROOT
from tests.support.running_server import Caller, Server, make_user


class TestPing:
    @pytest.mark.parametrize("path", ["/ping", "/ping/", "/easyar/ping"])
    def test_needs_no_keys(self, easyar_server: Server, path: str) -> None:
        assert succeeded(easyar_server.client.get(path)) == {"message": "pong"}


class TestForms:
    """What a request must look like before anyone asks who sent it."""

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"a":NaN}', b'{"a":"\\ud800"}', b"\xff", b"[" * 100_000])
    def test_400(self, easyar_server: Server, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        refused(easyar_server.client.post("/similar", content=body, headers=headers), 414, 400)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    def test_415(self, easyar_server: Server, kind: str) -> None:
        refused(easyar_server.client.post("/similar", content=b"{}", headers={"Content-Type": kind}), 414, 415)

    def test_404_and_405(self, easyar_server: Server) -> None:
        assert easyar_server.client.get("/easyar/unknown").status_code == 404
        assert easyar_server.client.patch("/targets").status_code == 405


class TestFailures:
    """Codes of the server's own failures."""

    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
    def test_wrong_key_file(self, easyar_server: Server, owner: Caller, operation: Any, tmp_path: Path) -> None:
        """Secrets that another key sealed cannot be read: the operation's own code, and no word of why."""
        folder = easyar_server.folder
        keys = make_app(folder, f"broken-{operation.name}", owner)
        (tmp_path / "x").mkdir()
        with contextlib.closing(sqlite3.connect(folder / "catalogue.db")) as database, database:
            sealed = Vault(tmp_path / "x").seal("secret")
            database.execute("UPDATE app SET sealed_secret = ? WHERE app_id = ?", (sealed, keys.appId))
        fields = signed(keys, {})
        path = operation.paths[0].replace("{target_id:str}", UNKNOWN)
        client = easyar_server.client
        if operation.source == "query":
            response = client.request(operation.verb, path, params=fields)
        elif operation.source == "json":
            response = client.request(operation.verb, path, json=fields)
        else:
            response = client.post(path, files=[(name, (None, str(value))) for name, value in fields.items()])
        answer = refused(response, operation.failed, FAILURES[operation.failed])
        assert "secrets.key" not in answer["result"]["message"]
        assert response.headers["x-request-id"] in answer["result"]["message"]

    def test_nothing_can_be_written(self, strict: Server) -> None:
        """While another process holds the database: 417, 420, 424."""
        user = make_user(strict.folder, "waiter")
        app = EasyAR(client=strict.client, keys=make_app(strict.folder, "waits", user))
        target = app.add(picture(20))["targetId"]
        with contextlib.closing(sqlite3.connect(strict.folder / "catalogue.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            refused(app.send("PUT", f"/target/{target}", {"active": "0"}), 424)
            refused(app.send("DELETE", f"/target/{target}"), 420)
            refused(app.send("DELETE", "/targets", {"targetId": target}), 420)
            refused(app.send("POST", "/targets", {**TARGET, "image": b64(picture(21))}), 417)
            database.execute("ROLLBACK")

    def test_19_and_21(self, strict: Server) -> None:
        """Of too many searches at once some find no place (21), and some wait too long (19, HTTP 408)."""
        user = make_user(strict.folder, "crowd")
        app = EasyAR(client=strict.client, keys=make_app(strict.folder, "crowded", user))
        app.add(picture(20))
        # A large PNG takes long enough to decode that the last of the queue is past its second on a fast machine, too.
        large = cv2.resize(poster(30), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            photo = {"image": b64(encoded(large, ".png"))}
            answers = list(pool.map(lambda _: app.send("POST", "/search", photo), range(16)))
        seen = Counter((answer.status_code, answer.json()["statusCode"]) for answer in answers)
        assert set(seen) == {(200, 17), (408, 19), (200, 21)}, seen
        assert all("retry-after" in answer.headers for answer in answers if answer.json()["statusCode"] in (19, 21))

    def test_21_rate(self, strict: Server) -> None:
        """More requests in a minute than the setting allows."""
        user = make_user(strict.folder, "hasty")
        app = EasyAR(client=strict.client, keys=make_app(strict.folder, "hasty", user))
        answers = [app.send("GET", "/targets/count") for _ in range(60)]
        late = next(answer for answer in answers if answer.json()["statusCode"])
        refused(late, 21)
        assert int(late.headers["retry-after"]) >= 1


class TestCodes:
    """The table of errors and codes."""

    def test_every_error_has_a_published_code(self) -> None:
        waiting, seen = [ObverseError], set()
        while waiting:
            kind = waiting.pop()
            waiting += kind.__subclasses__()
            seen.add(kind)
        for kind in seen:
            row = next(CODES[parent] for parent in kind.__mro__ if parent in CODES)
            assert row.code == FAILED or row.code in MEANINGS
        assert set(FAILURES) <= set(MEANINGS)

    def test_never_sent(self) -> None:
        """7 and 8 are the vendor's own; 426 cannot arise."""
        assert not {5, 7, 8, 9, 426} & set(MEANINGS)
        assert all(set(operation.answers) <= set(MEANINGS) for operation in OPERATIONS)

    def test_18(self) -> None:
        """A target that is removed between being recognised and being told."""
        assert row_of(RecordMissing(), failed=20, overdue=19) == (18, 500)

    def test_documented(self) -> None:
        text = (ROOT / "docs" / "easyar.md").read_text("utf-8")
        for code in MEANINGS:
            assert f"`{code}`" in text, code
        for name in RATES:
            assert f"`{name}`" in text, name
        for operation in OPERATIONS:
            path = "/similar" if operation.name == "similar" else operation.paths[0]
            assert f"{operation.verb} {path.replace('{target_id:str}', 'ID')}" in text
