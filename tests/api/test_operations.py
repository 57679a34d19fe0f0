"""What operators rely on: health, readiness, metrics, logs, the document, starting and stopping."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from api.dialects.kivicube.contract import METHODS
from tests.support.drawn_pictures import photo_of, picture
from tests.support.paths import ROOT
from tests.support.running_server import SERVE, Caller, Server, make_channel, make_user, note_of, serving


class TestPaths:
    def test_health_and_ready(self, server: Server) -> None:
        assert server.client.get("/health").json() == {"status": "alive"}
        assert server.client.get("/ready").json() == {"status": "ready"}

    def test_metrics(self, server: Server, alice: Caller, books: str) -> None:
        """Requests and codes, times by stage, sizes and queues, in Prometheus' format."""
        server.call("FindImage", alice, photo_of(1), channel=books)
        server.code("GetImages", alice, channel="no-such")
        response = server.client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain")
        families = {family.name: family for family in text_string_to_metric_families(response.text)}
        counted = {
            (s.labels["method"], s.labels["code"]): s.value
            for s in families["obverse_requests"].samples
            if "code" in s.labels
        }
        assert counted["FindImage", "0"] >= 1
        assert counted["GetImages", "20003"] >= 1
        for name in (
            "request_seconds",
            "stage_seconds",
            "gallery",
            "lane_inside",
            "lane_refused",
            "requests_in_flight",
        ):
            assert families[f"obverse_{name}"].samples
        sizes = {sample.labels["what"]: sample.value for sample in families["obverse_gallery"].samples}
        assert sizes["pictures"] >= 3

    def test_cors_is_off(self, server: Server) -> None:
        response = server.client.get("/health", headers={"origin": "https://example.org"})
        assert "access-control-allow-origin" not in response.headers

    def test_interactive_page(self, server: Server) -> None:
        """It works offline: it names no other host."""
        page = server.client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        assert "docs/openapi.json" in page.text
        assert "https://" not in page.text
        assert "http://" not in page.text


class TestWelcome:
    def test_page(self, server: Server) -> None:
        """Who opens the address in a browser learns what runs here. It loads nothing from elsewhere."""
        page = server.client.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert 'href="docs"' in page.text
        assert "://" not in page.text
        assert server.client.post("/").status_code == 405

    def test_under_a_prefix(self, tmp_path: Path) -> None:
        """Whether the proxy takes the prefix away or leaves it: all addresses lead back under it."""
        with serving(tmp_path / "data", log=tmp_path / "log", path_prefix="/pictures/v1") as server:
            for prefix in ("", "/pictures/v1"):
                assert 'href="/pictures/v1/docs"' in server.client.get(f"{prefix}/").text
                page = server.client.get(f"{prefix}/docs")
                assert page.status_code == 200
                assert '"/docs' not in page.text
                document = server.client.get(f"{prefix}/docs/openapi.json").json()
                assert document["servers"] == [{"url": "/pictures/v1"}]
                assert server.client.get(f"{prefix}/ready").json() == {"status": "ready"}
                assert server.client.post(f"{prefix}/GetImages").json()["returncode"] == 20001
                assert server.client.get(f"{prefix}/easyar/ping").json()["statusCode"] == 0
            assert server.client.get("/pictures/v1").status_code == 200
            assert server.client.get("/pictures/v10/ready").status_code == 404
            base = server.base.replace("http", "ws")
            with connect(f"{base}/pictures/v1/services/recognize/none") as socket:
                socket.send(b"\x80")
                assert json.loads(socket.recv(timeout=30))["statusCode"] == 6


class TestDocument:
    def test_every_field_and_code(self, server: Server) -> None:
        paths = server.client.get("/docs/openapi.json").json()["paths"]
        for method in METHODS:
            operation = paths[f"/{method.name}"]["post"]
            kinds = operation["requestBody"]["content"]
            assert ("application/json" in kinds) == (method.file is None)
            described = kinds["multipart/form-data"]["schema"]
            assert set(described["properties"]) == {field.name for field in method.fields}
            answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert answer["allOf"][1]["properties"]["returncode"]["enum"] == method.codes
            assert all(f"`{code}`" in operation["description"] for code in method.codes)
        assert {"/health", "/ready", "/metrics"} <= set(paths)
        assert not any(path.startswith(("/internal", "/kivicube")) for path in paths)


class TestLogs:
    def test_one_object_a_line(self, server: Server, alice: Caller, books: str) -> None:
        response = server.post("GetImages", alice, channel=books)
        number = response.headers["x-request-id"]
        lines = [json.loads(line) for line in server.log_text().splitlines()]
        mine = [line for line in lines if line.get("request_id") == number]
        assert [line["event"] for line in mine] == ["request"]
        assert {"path", "status", "returncode", "milliseconds", "received_bytes"} <= set(mine[0])

    def test_what_no_method_answers(self, server: Server) -> None:
        """Scans are seen: unknown paths and wrong verbs have a line and an id, like all others."""
        for verb, path, status in (
            ("POST", "/wp-login.php", 404),
            ("GET", "/AddImage", 405),
            ("PATCH", "/targets", 405),
        ):
            number = f"scan-{status}-{verb}"
            response = server.client.request(verb, path, headers={"x-request-id": number})
            assert (response.status_code, response.headers["x-request-id"]) == (status, number)
            lines = [json.loads(line) for line in server.log_text().splitlines()]
            mine = [line for line in lines if line.get("request_id") == number]
            assert [(line["path"], line["status"]) for line in mine] == [(path, status)]

    def test_text_for_a_terminal(self, tmp_path: Path) -> None:
        """A path moves no cursor and sets no colour."""
        with serving(tmp_path / "data", log=tmp_path / "log", log_format="text") as server:
            server.client.get("/target/%1b[2J%1b]0;title%07%c2%9b31m")
            server.client.get("/nowhere/%1b[31m%e2%80%ae%0a%0d")
            log = server.log_text()
        assert "/target/" in log
        assert "/nowhere/" in log
        assert not any(0 < ord(letter) < 32 and letter not in "\n\t" for letter in log)
        assert not {"\x7f", "\x9b", "\u202e"} & set(log)


class TestStarting:
    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SERVE, *arguments],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_note(self, server: Server) -> None:
        """The note with the token is for its owner alone."""
        assert stat.S_IMODE((server.folder / "server.json").stat().st_mode) == 0o600
        note = note_of(server.folder)
        assert note["address"] == server.base
        assert len(note["token"]) == 64

    def test_second_server_is_refused(self, server: Server) -> None:
        second = self.run("--data", str(server.folder), "--port", "0")
        assert second.returncode == 1
        assert "holds" in second.stderr
        assert "Traceback" not in second.stderr
        assert note_of(server.folder)["address"] == server.base

    def test_port_taken(self, server: Server, tmp_path: Path) -> None:
        second = self.run("--data", str(tmp_path), "--port", server.base.rsplit(":", 1)[1])
        assert second.returncode == 1
        assert "Traceback" not in second.stderr

    def test_unknown_setting(self, tmp_path: Path) -> None:
        refused = self.run("--data", str(tmp_path), OBVERSE_PAGESIZE="5")
        assert refused.returncode == 2
        assert "OBVERSE_PAGE_SIZE" in refused.stderr


class TestStopping:
    def test_graceful(self, tmp_path: Path) -> None:
        """Requests in flight are answered, the indexes are saved, the status is 0, and a new start has it all."""
        folder, log = tmp_path / "data", tmp_path / "log"
        with serving(folder, log=log, cors_origins="https://example.org") as server:
            user = make_user(folder, "user")
            make_channel(folder, "kept", user)
            assert server.code("AddImage", user, picture(1), channel="kept", identifier="one.1") == 0
            allowed = server.client.get("/health", headers={"origin": "https://example.org"})
            assert allowed.headers["access-control-allow-origin"] == "https://example.org"
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                calls = [pool.submit(server.call, "FindImage", user, photo_of(1), channel="kept") for _ in range(4)]
                concurrent.futures.wait(calls, return_when=concurrent.futures.FIRST_COMPLETED)
                assert server.stop() == 0
            answered = 0
            for call in calls:
                with contextlib.suppress(Exception):  # those that came after the stop find no server
                    answered += call.result().get("identifier") == "one.1"
            assert answered >= 1
            assert not (folder / "server.json").exists()
        assert "Traceback" not in log.read_text()
        with serving(folder, log=log) as server:
            assert server.call("FindImage", user, photo_of(1), channel="kept")["identifier"] == "one.1"
            counted = server.call("Statistics", user, startdate="2020", enddate="2100")["records"]
            assert counted[0]["count"] >= answered + 1

    @pytest.mark.slow
    def test_kill_while_adding_finding_removing(self, tmp_path: Path) -> None:
        """After each kill: every acknowledged add is found, every removal is gone, every match is counted."""
        folder, log = tmp_path / "data", tmp_path / "log"
        state: dict[str, str] = {}
        matches = 0
        with serving(folder, log=log) as server:
            user = make_user(folder, "user")
            make_channel(folder, "crash", user)
        for round_number in range(20):
            with serving(folder, log=log, engine_queue=64) as server:
                with concurrent.futures.ThreadPoolExecutor(16) as pool:
                    calls = [pool.submit(one_client, server, user, round_number * 16 + n) for n in range(16)]
                    concurrent.futures.wait(calls, timeout=4)
                    server.kill()
                for call in calls:
                    outcome, found = call.result()
                    state |= outcome
                    matches += found
            with serving(folder, log=log) as server:
                listed, position = set(), 0
                while page := server.call("GetImages", user, channel="crash", position=position)["images"]:
                    listed |= {image["identifier"] for image in page}
                    position += len(page)
                for name, what in state.items():
                    assert what == "unsure" or (name in listed) == (what == "added"), (name, what)
                records = server.call("Statistics", user, startdate="2020", enddate="2100")["records"]
                assert sum(record["count"] for record in records) >= matches
                for name in [name for name, what in state.items() if what == "added"][-2:]:
                    seed = int(name.split(".")[1])
                    matches += 1
                    assert server.call("FindImage", user, photo_of(seed), channel="crash")["identifier"] == name


def one_client(server: Server, user: Caller, number: int) -> tuple[dict[str, str], int]:
    """Adds, finds and sometimes removes until the server is gone; tells what was acknowledged."""
    state: dict[str, str] = {}
    matches = 0
    with contextlib.suppress(httpx.TransportError, json.JSONDecodeError):
        for turn in range(100):
            seed = 1_000 + number * 100 + turn
            name = f"seed.{seed}"
            state[name] = "unsure"
            if server.code("AddImage", user, picture(seed), channel="crash", identifier=name) != 0:
                continue
            state[name] = "added"
            found = server.call("FindImage", user, photo_of(seed), channel="crash")
            matches += "identifier" in found
            if turn % 2:
                state[name] = "unsure"
                assert server.code("RemoveImage", user, channel="crash", identifier=name) == 0
                state[name] = "removed"
    return state, matches
