"""`obverse serve` beside other processes on its folder, and on one that may only be read."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from engine.index.folder_lock import FolderLock
from engine.recognizer import Recognizer
from tests.support.commands import run
from tests.support.drawn_pictures import photo_of, picture
from tests.support.paths import ROOT
from tests.support.powers import make_read_only, make_writable, powerless
from tests.support.running_server import Caller, make_channel, make_user, serving, wait_ready


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def shop(data: Path) -> Caller:
    """A user with the channel "books"."""
    made = make_user(data, "shop")
    make_channel(data, "books", made)
    return made


def until(true: Callable[[], bool], *, what: str) -> None:
    """Waits; a minute without it is a failure."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError(what)


class TestBesideAnImport:
    def test_takes_over(self, data: Path, shop: Caller, tmp_path: Path) -> None:
        """It starts and answers while the other holds the folder, sees what that adds, and saves the indexes itself
        when that has ended; the log says both."""
        with contextlib.ExitStack() as importing:
            other = importing.enter_context(Recognizer.open(data))
            with serving(data, log=tmp_path / "log.txt") as server:
                assert "takes over when it ends" in server.log_text()
                other.add("books", "one.1", picture(1))
                assert server.call("FindImage", shop, photo_of(1), channel="books")["identifier"] == "one.1"
                importing.close()
                until(lambda: "saves its indexes from now on" in server.log_text(), what="it took over")
                assert server.code("AddImage", shop, picture(2), channel="books", identifier="one.2") == 0
                assert server.call("FindImage", shop, photo_of(2), channel="books")["identifier"] == "one.2"
                assert server.stop() == 0
        with Recognizer.open(data) as after:
            info = after.info()
            assert (info["pictures"], info["saved_log_position"]) == (2, info["log_position"])

    @pytest.mark.usefixtures("shop")
    def test_waits_for_who_needs_it_alone(self, data: Path, tmp_path: Path) -> None:
        """A restore or a reindexing replaces files: nothing is answered before its end."""
        alone = FolderLock(data)
        log = tmp_path / "log.txt"
        command = [sys.executable, "-m", "cli.main", "serve", "--data", str(data), "--port", "0"]
        with log.open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
        assert process.stdout is not None
        try:
            until(lambda: "waiting for the process" in log.read_text(), what="it says that it waits")
            assert process.poll() is None
            alone.release()
            base = process.stdout.readline().split()[-1]
            with httpx.Client(base_url=base, timeout=60) as client:
                wait_ready(client, process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    @pytest.mark.usefixtures("shop")
    def test_a_second_server(self, data: Path, tmp_path: Path) -> None:
        """Also one that works beside an import is the folder's only one."""
        with Recognizer.open(data), serving(data, log=tmp_path / "log.txt"):
            command = [sys.executable, "-m", "cli.main", "serve", "--data", str(data), "--port", "0"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
            assert (done.returncode, done.stdout) == (1, "")
            assert "stop it first" in done.stderr


class TestOddPaths:
    def test_served(self, tmp_path: Path) -> None:
        """A folder whose name would be something else in a URL: catalogue, counts and note lie in it."""
        folder = tmp_path / "50%25 off #1"
        user = make_user(folder, "shop")
        make_channel(folder, "books", user)
        with serving(folder, log=tmp_path / "log.txt") as server:
            assert server.code("AddImage", user, picture(1), channel="books", identifier="one.1") == 0
            assert server.call("FindImage", user, photo_of(1))["identifier"] == "one.1"
            assert run("stats", "--data", folder, "--json").json["top"][0]["identifier"] == "one.1"
            assert server.stop() == 0
        assert run("stats", "--data", folder, "--json").json["top"][0]["matches"] == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "log.txt"]

    def test_refused(self, tmp_path: Path) -> None:
        """DuckDB would write its log elsewhere: said before anything is counted."""
        make_user(tmp_path / "a?b", "shop")
        done = run("serve", "--port", "0", "--data", tmp_path / "a?b")
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
        assert "rename the folder" in done.err


class TestReadOnly:
    @pytest.fixture
    def filled(self, data: Path, shop: Caller) -> Iterator[Path]:
        """The picture one.1 in the user's channel."""
        with Recognizer.open(data) as recognizer:
            assert recognizer.catalogue.channel("books").owner == shop.id
            recognizer.add("books", "one.1", picture(1))
        yield data
        make_writable(data)

    @contextlib.contextmanager
    def reading(self, folder: Path, log: Path) -> Iterator[httpx.Client]:
        """A server that only reads, as a process without rights."""
        command = [sys.executable, "-W", "error", "-m", "cli.main", "serve", "--read-only", "--port", "0", "--data"]
        with log.open("w") as errors:
            process = subprocess.Popen(
                powerless(*command, str(folder)),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("Obverse listens on "), log.read_text()
            with httpx.Client(base_url=line.split()[-1], timeout=60) as client:
                wait_ready(client, process)
                yield client
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def call(self, client: httpx.Client, method: str, user: Caller, image: bytes | None = None, **fields: str) -> int:
        parts = {name: (None, value) for name, value in {**user.fields, **fields}.items()}
        files = {**parts, **({"image": ("p.jpg", image)} if image else {})}
        answer = client.post(f"/{method}", files=files).json()  # type: ignore[arg-type]
        assert answer.get("identifier", "one.1") == "one.1"
        return answer["returncode"]

    def test_a_folder_that_may_only_be_read(self, filled: Path, shop: Caller, tmp_path: Path) -> None:
        """It recognises, lists and tells; changes are answered as failed, nothing is counted, which the log says once,
        and nothing is left in the folder."""
        before = sorted((path, path.stat().st_mtime_ns) for path in filled.rglob("*"))
        make_read_only(filled)
        log = tmp_path / "log.txt"
        with self.reading(filled, log) as client:
            assert self.call(client, "FindImage", shop, photo_of(1), channel="books") == 0
            assert self.call(client, "GetImages", shop, channel="books") == 0
            assert self.call(client, "GetImage", shop, channel="books", identifier="one.1") == 0
            assert self.call(client, "Statistics", shop, startdate="2026", enddate="2026") == 0
            assert self.call(client, "AddImage", shop, picture(3), channel="books", identifier="new") == 20015
            assert self.call(client, "RemoveImage", shop, channel="books", identifier="one.1") == 20015
            update = {"channel": "books", "identifier": "one.1", "metadata": "x"}
            assert self.call(client, "UpdateImageInfo", shop, **update) == 20015
            assert self.call(client, "FindImage", shop, photo_of(1)) == 0
        assert log.read_text().count("matches are not counted") == 1
        assert sorted((path, path.stat().st_mtime_ns) for path in filled.rglob("*")) == before

    def test_beside_a_server(self, filled: Path, shop: Caller, tmp_path: Path) -> None:
        """Readers beside the one that changes things: they see its changes, and leave it its note and its counts."""
        with (
            serving(filled, log=tmp_path / "log.txt") as server,
            self.reading(filled, tmp_path / "reader.txt") as reader,
        ):
            note = (filled / "server.json").read_bytes()
            assert server.code("AddImage", shop, picture(2), channel="books", identifier="one.2") == 0
            assert self.call(reader, "GetImage", shop, channel="books", identifier="one.2") == 0
            assert self.call(reader, "FindImage", shop, photo_of(1)) == 0
            assert self.call(reader, "RemoveImage", shop, channel="books", identifier="one.2") == 20015
            assert (filled / "server.json").read_bytes() == note

    def test_no_gallery(self, tmp_path: Path) -> None:
        """None is made."""
        done = run("serve", "--read-only", "--data", tmp_path)
        assert done.status == 2
        assert list(tmp_path.iterdir()) == []
