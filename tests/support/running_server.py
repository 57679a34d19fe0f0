"""A real server in a process of its own, started on any free port, and real accounts in its data folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from api.accounts.store import Accounts, KeyPair
from engine.catalogue import Catalogue
from tests.support.paths import ROOT

SERVE = "import sys; from cli.main import app; app(['serve', *sys.argv[1:]])"


@dataclass(kw_only=True)
class Server:
    """A server that runs."""

    folder: Path
    """Its data folder."""
    process: subprocess.Popen[str]
    base: str
    """Where it listens: http://HOST:PORT."""
    log: Path
    """The file of its standard error."""
    client: httpx.Client = field(repr=False)
    """Speaks to it."""

    def call(
        self, method: str, user: Caller | None = None, image: bytes | None = None, **fields: Any
    ) -> dict[str, Any]:
        """One call as a browser's form would send it: the answer's JSON. None leaves a field out."""
        return self.post(method, user, image, **fields).json()

    def post(
        self, method: str, user: Caller | None = None, image: bytes | None = None, **fields: Any
    ) -> httpx.Response:
        data = {**(user.fields if user else {}), **fields}
        parts: list[tuple[str, Any]] = [(name, (None, str(value))) for name, value in data.items() if value is not None]
        if image is not None:
            parts.append(("image", ("photo.bin", image, "application/octet-stream")))
        return self.client.post(f"/{method}", files=parts or [("nothing", (None, ""))])

    def code(self, method: str, user: Caller | None = None, image: bytes | None = None, **fields: Any) -> int:
        """The return code; an error must tell its message, a success must not."""
        response = self.post(method, user, image, **fields)
        assert response.status_code == 200
        answer = response.json()
        assert ("message" in answer) == (answer["returncode"] != 0), answer
        return answer["returncode"]

    def log_text(self) -> str:
        return self.log.read_text("utf-8")

    def stop(self) -> int:
        """Asks it to stop; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A user with both key pairs."""

    name: str
    id: int
    full: KeyPair
    """For everything."""
    readonly: KeyPair
    """For reading alone."""

    @property
    def fields(self) -> dict[str, str]:
        """What a form holds of the full pair."""
        return {"username": self.full.username, "secretkey": self.full.secretkey}

    @property
    def reading(self) -> Reader:
        return Reader(fields={"username": self.readonly.username, "secretkey": self.readonly.secretkey})


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The read-only half of a caller."""

    fields: dict[str, str]


@contextlib.contextmanager
def serving(folder: Path, *options: str, log: Path, **settings: Any) -> Iterator[Server]:
    """A ready server; options: of the command; settings are handed over as OBVERSE_ variables."""
    environment = {**os.environ, **{f"OBVERSE_{name.upper()}": str(value) for name, value in settings.items()}}
    command = [sys.executable, "-W", "error", "-c", SERVE, "--data", str(folder), "--port", "0", *options]
    with log.open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=ROOT)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("Obverse listens on "), log.read_text()
        base = line.split()[-1]
        with httpx.Client(base_url=base, timeout=60) as client:
            wait_ready(client, process)
            yield Server(folder=folder, process=process, base=base, log=log, client=client)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=60)
        process.stdout.close()


def wait_ready(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended while starting"
        with contextlib.suppress(httpx.TransportError):
            if client.get("/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not become ready")


def make_user(folder: Path, name: str) -> Caller:
    with contextlib.closing(Catalogue(folder)) as catalogue:
        accounts = Accounts(catalogue.database)
        keys = accounts.add_user(name)
        return Caller(name=name, id=accounts.user(name).id, full=keys.full, readonly=keys.readonly)


def make_channel(folder: Path, name: str, owner: Caller | None, *, quota: int | None = None) -> str:
    with contextlib.closing(Catalogue(folder)) as catalogue:
        return catalogue.add_channel(name, owner=owner.id if owner else None, quota=quota).name


def note_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "server.json").read_text())
