"""A web page of another origin that searches with a token: the preflight, and a real browser."""

from __future__ import annotations

import http.server
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.drawn_pictures import photo_of
from tests.support.easyar_client import EasyAR, b64
from tests.support.running_server import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGE = """<!doctype html><meta charset="utf-8"><script>
const told = answer => fetch("/told", {method: "POST", body: JSON.stringify(answer)});
fetch(%(search)s, {
  method: "POST",
  body: JSON.stringify({image: %(image)s, appId: %(app)s, notracking: true}),
  headers: {"Content-Type": "application/json;Charset=UTF-8", "Authorization": %(token)s}
}).then(async response => told({http: response.status, ...await response.json()}))
  .catch(error => told({error: String(error)}));
</script>"""


@contextmanager
def page(content: str) -> Iterator[tuple[str, queue.Queue[Any]]]:
    """An origin of its own that serves the page and takes what it tells."""
    told: queue.Queue[Any] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(content.encode() if self.path == "/" else b"")

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(b"")

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing on the test's stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", told
        server.shutdown()


class TestPreflight:
    HEADERS = {  # noqa: RUF012
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    @pytest.mark.parametrize("path", ["/search", "/v2/search", "/similar", "/targets", "/token/v2"])
    def test_allowed(self, easyar_server: Server, path: str) -> None:
        """Authorization must be named: a star does not stand for it."""
        answer = easyar_server.client.options(path, headers=self.HEADERS)
        assert answer.status_code == 204
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert {"authorization", "content-type"} <= {name.strip() for name in allowed.split(",")}
        assert answer.headers["access-control-allow-origin"] in ("*", "https://page.example")
        assert "POST" in answer.headers["access-control-allow-methods"]

    def test_answers(self, gallery: EasyAR) -> None:
        """The page may read errors too."""
        answer = gallery.client.post("/search", json={}, headers={"Origin": "https://page.example"})
        assert answer.headers["access-control-allow-origin"] in ("*", "https://page.example")
        assert answer.json()["statusCode"] == 1

    def test_off_by_default(self, strict: Server) -> None:
        answer = strict.client.options("/search", headers=self.HEADERS)
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
@pytest.mark.parametrize(("seed", "code", "http"), [(2, 0, 200), (30, 17, 404)])
def test_fetch_in_chromium(gallery: EasyAR, tmp_path: Path, seed: int, code: int, http: int) -> None:
    """The vendor's web guide: fetch with Authorization from another origin, on a match and on a miss."""
    assert CHROMIUM is not None
    values = {
        "search": f"{gallery.client.base_url}/search",
        "image": b64(photo_of(seed)),
        "app": gallery.keys.appId,
        "token": gallery.with_token("READ").token,
    }
    content = PAGE % {name: json.dumps(str(value)) for name, value in values.items()}
    with page(content) as (address, told):
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        command = [CHROMIUM, *options, f"--user-data-dir={tmp_path}", "--remote-debugging-port=0", address]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            answer = told.get(timeout=60)
        finally:
            browser.terminate()
            browser.wait(timeout=30)
    assert (answer.get("http"), answer.get("statusCode")) == (http, code), answer
    if code == 0:
        target = answer["result"]["target"]
        assert (target["name"], target["meta"], target["active"]) == ("two", "number 2", "1")
