"""The console of other servers: under a proxy's prefix, and of a folder that is only read."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from api.accounts.operator import OperatorPassword
from engine.catalogue import Catalogue
from tests.api.console.conftest import PASSWORD, signed_in
from tests.support.console_pages import Visit
from tests.support.drawn_pictures import photo_of, picture
from tests.support.paths import ROOT
from tests.support.running_server import SERVE, make_channel, make_user, serving, wait_ready

pytestmark = pytest.mark.slow


def test_under_a_prefix(tmp_path: Path) -> None:
    """Every address on every page leads back under it, whether the proxy takes it away or not."""
    with serving(tmp_path / "data", log=tmp_path / "log", path_prefix="/pictures/v1") as server:
        ann = make_user(server.folder, "ann")
        make_channel(server.folder, "books", ann)
        assert server.code("AddImage", ann, picture(1), channel="books", identifier="one.1") == 0
        visit = Visit(server.base)
        answer = visit.client.post("/console/sign-in", data=ann.fields, follow_redirects=False)
        assert answer.headers["location"] == "/pictures/v1/console"
        assert "path=/pictures/v1/console" in answer.headers["set-cookie"].lower()
        visit = Visit(server.base)
        page = visit.submit(visit.get("/pictures/v1/console").form("/sign-in"), **ann.fields)
        assert page.path == "/pictures/v1/console"
        for path in (
            "",
            "/channels",
            "/channels/one?channel=books",
            "/pictures",
            "/add",
            "/try",
            "/statistics",
            "/users",
        ):
            page = visit.get(f"/pictures/v1/console{path}")
            assert page.status == 200
            addresses = [*page.attributes("href"), *page.attributes("src"), *page.attributes("action")]
            inside = [address for address in addresses if not address.startswith(("#", "http://127.0.0.1", "data:"))]
            assert len(inside) > 5
            assert [address for address in inside if not address.startswith("/pictures/v1/console")] == []
        found = visit.submit(visit.get("/pictures/v1/console/try").form("/try"), [("p.jpg", photo_of(1))])
        assert found.identifier == "one.1"
        assert visit.client.get("/pictures/v1/console/assets/obverse.js").status_code == 200
        assert 'href="/pictures/v1/console"' in visit.client.get("/pictures/v1/").text


def test_a_folder_that_is_only_read(tmp_path: Path) -> None:
    """It is seen and tried; a change is refused and says why."""
    data = tmp_path / "data"
    with serving(data, log=tmp_path / "log") as server:
        ann = make_user(data, "ann")
        make_channel(data, "books", ann)
        assert server.code("AddImage", ann, picture(1), channel="books", identifier="one.1") == 0
        server.stop()
    with contextlib.closing(Catalogue(data)) as catalogue:
        OperatorPassword(catalogue).set(PASSWORD)
    command = [sys.executable, "-W", "error", "-c", SERVE, "--data", str(data), "--port", "0", "--read-only"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        base = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=base) as client:
            wait_ready(client, process)
        visit = Visit(base)
        assert visit.sign_in(password=PASSWORD).status == 200
        for path in ("", "/channels", "/pictures", "/statistics", "/users", "/health"):
            assert visit.get(f"/console{path}").status == 200
        found = visit.submit(visit.get("/console/try").form("/try"), [("p.jpg", photo_of(1))])
        assert found.identifier == "one.1"
        link = next(a for a in visit.get("/console/pictures").attributes("href") if re.search("[0-9a-f-]{36}$", a))
        changed = visit.submit(visit.get(link).form(link), threshold="5")
        assert changed.status == 403
        assert "only reads" in changed.text
        added = visit.submit(visit.get("/console/add").form("/add"), [("new.jpg", picture(2))])
        assert "only reads" in added.text
    finally:
        process.kill()
        process.wait(timeout=60)
        process.stdout.close()


def test_many_at_once(tmp_path: Path) -> None:
    """A short queue: who finds it full is told so, and nothing breaks."""
    with serving(tmp_path / "data", log=tmp_path / "log", engine_workers=1, engine_queue=1) as server:
        ann = make_user(server.folder, "ann")
        make_channel(server.folder, "books", ann)
        assert server.code("AddImage", ann, picture(1), channel="books", identifier="one.1") == 0
        visits = [signed_in(server, **ann.fields) for _ in range(8)]
        statuses: list[int] = []

        def ask(visit: Visit) -> None:
            form = visit.get("/console/try").form("/try")
            statuses.append(visit.submit(form, [("p.jpg", photo_of(1))]).status)

        threads = [threading.Thread(target=ask, args=(visit,)) for visit in visits]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {200, 503}
        assert 200 in statuses
        assert "unexpected failure" not in server.log_text()
