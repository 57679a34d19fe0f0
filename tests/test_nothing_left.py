"""Nothing of a user's is sent anywhere or left where he did not ask for it: no command opens a socket but its own, nor
leaves anything in HOME. Libraries do both by themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.main import COMMANDS
from tests.support.apart import run_all
from tests.support.commands import photograph, write
from tests.support.made_run import make_run
from tests.support.paths import ROOT
from tests.support.running_server import make_channel, make_user, serving

WATCH = """
import os, sys
_watched = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind")
def _note(event, arguments):
    if event in _watched:
        with open(os.environ["WATCHED"], "a") as file:
            print(event, *map(repr, arguments[1:] if event != "socket.getaddrinfo" else arguments), file=file)
sys.addaudithook(_note)
"""


class Stranger:
    """A new user's HOME, and what processes do that have it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.watched = folder / "home", folder / "watched.txt"
        self.home.mkdir()
        (folder / "watch").mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(WATCH)
        (folder / "temporary").mkdir()
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(folder / "temporary"),
            "WATCHED": str(self.watched),
            "PYTHONPATH": f"{folder / 'watch'}{os.pathsep}{ROOT}",
            "COLUMNS": "160",
        }

    def run(self, *commands: tuple[object, ...]) -> None:
        """All in one process, one after the other; each must succeed."""
        ends = run_all(*commands, variables=self.variables)
        assert [(c, end) for c, end in zip(commands, ends, strict=True) if end.status] == []

    def sockets(self) -> list[str]:
        """What was looked up, bound or connected to."""
        return self.watched.read_text().splitlines() if self.watched.exists() else []

    def left(self) -> list[str]:
        """What lies in HOME."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    return Stranger(tmp_path)


def gallery_commands(place: Path) -> list[tuple[Any, ...]]:
    """Every command on a data folder, in an order in which each has something to do."""
    pictures, photo = place / "pictures", photograph(place / "photo.jpg", 1)
    for number in range(3):
        write(pictures / f"one.{number}.jpg", number)
    data, archive, shop = ("--data", place / "data"), place / "backup.tar.gz", ("--user", "shop")
    return [
        ("add", pictures, "--channel", "one", *data),
        ("find", photo, "--explain", place / "explained.png", *data),
        ("match", pictures / "one.1.jpg", photo, "--explain", place / "matched.png"),
        ("list", *data),
        ("info", *data),
        ("user", "add", "shop", *data),
        ("user", "list", *data),
        ("user", "rotate-key", "shop", *data),
        ("user", "disable", "shop", *data),
        ("user", "enable", "shop", *data),
        ("channel", "add", "books", *shop, *data),
        ("channel", "list", *data),
        ("channel", "quota", "books", "5", *shop, *data),
        ("channel", "try", "books", "--on", *data),
        ("console", "password", "--remove", *data),
        ("app", "add", "books", *shop, *data),
        ("app", "list", *data),
        ("app", "rotate", "books", *shop, *data),
        ("app", "remove", "books", *shop, *data),
        ("database", "add", "books", *shop, *data),
        ("database", "list", *data),
        ("database", "rotate", "books", *shop, *data),
        ("database", "switch-off", "books", *shop, *data),
        ("database", "switch-on", "books", *shop, *data),
        ("database", "remove", "books", *shop, *data),
        ("channel", "remove", "books", *shop, *data),
        ("stats", "--plot", place / "plot.png", *data),
        ("backup", archive, *data),
        ("restore", archive, "--data", place / "restored"),
        ("reindex", *data),
        ("changes", *data),
        ("export", "--channel", "one", "--out", place / "one.tar", *data),
        ("import", place / "one.tar", "--channel", "again", *data),
        ("remove", "one.0", "--channel", "one", *data),
    ]


def measuring_commands(place: Path) -> list[tuple[Any, ...]]:
    """Those that are done in seconds."""
    pictures, photos = place / "covers", place / "shots"
    photos.mkdir()
    for number in range(5):
        write(pictures / f"c{number}.jpg", number)
    for number in range(3):
        photograph(photos / f"c{number}_1.jpg", number)
    given = ("--pictures", pictures, "--photos", photos, "--out", place / "out", "--yes")
    return [
        ("demo", "--count", 3, "--photos", 1, "--out", place / "demo"),
        ("compare", *given, "--methods", "phash,obverse"),
        ("score", make_run(place / "made")),
        ("series", place / "covers", "--out", place / "series", "--photos", 2),
    ]


NOT_RUN = {
    "serve": "below, with a socket of its own",
    "client": "below: it asks a server that is named",
    "migrate": "it asks a service that is named: tests/cli/migrate",
    "recall": "minutes; what it imports and opens is what `compare` does",
    "evaluate": "as recall",
    "calibrate": "as recall",
    "stress": "as compare, for minutes",
    "bench": "as compare, for minutes",
    "train": "hours; its network is exported as below",
    "export-backbone": "below, where torch is",
}
"""Commands that are not among the quick ones, and why."""


class TestCommands:
    def test_all_are_looked_at(self, tmp_path: Path) -> None:
        """None is left out by a slip."""
        (tmp_path / "made").mkdir()
        run = {command[0] for command in [*gallery_commands(tmp_path), *measuring_commands(tmp_path)]}
        assert run | set(NOT_RUN) == set(COMMANDS)
        assert not run & set(NOT_RUN)

    def test_a_gallery_and_its_accounts(self, stranger: Stranger, tmp_path: Path) -> None:
        stranger.run(*gallery_commands(tmp_path))
        assert (stranger.sockets(), stranger.left()) == ([], [])

    def test_measuring(self, stranger: Stranger, tmp_path: Path) -> None:
        """Drawings too: Matplotlib would keep its list of fonts in HOME."""
        (tmp_path / "made").mkdir()
        stranger.run(*measuring_commands(tmp_path))
        assert (stranger.sockets(), stranger.left()) == ([], [])

    def test_a_server_and_its_client(self, stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One socket, the one that was asked for; and the client's to it."""
        data = tmp_path / "data"
        caller = make_user(data, "shop")
        make_channel(data, "books", caller)
        for name, value in stranger.variables.items():
            monkeypatch.setenv(name, value)
        with serving(data, log=tmp_path / "log.txt") as server:
            port = server.base.rsplit(":", 1)[1]
            keys = ("--username", caller.full.username, "--secretkey", caller.full.secretkey)
            jpeg = write(tmp_path / "one.1.jpg", 1)
            client = ("client", "add", "one.1", jpeg, "--channel", "books", *keys, "--server", server.base)
            stranger.run(client, ("client", "find", photograph(tmp_path / "p.jpg", 1), *keys, "--server", server.base))
            assert server.stop() == 0
        assert stranger.left() == []
        allowed = {
            "socket.bind ('127.0.0.1', 0)",
            f"socket.connect ('127.0.0.1', {port})",
            f"socket.getaddrinfo '127.0.0.1' {port} 0 1 0",
        }
        assert {line for line in stranger.sockets() if line not in allowed} == set()
        assert "socket.bind ('127.0.0.1', 0)" in stranger.sockets()  # the watch is awake

    @pytest.mark.slow
    def test_exporting(self, stranger: Stranger, tmp_path: Path) -> None:
        pytest.importorskip("torch", reason="needs the extra `train`")
        pytest.importorskip("onnx", reason="needs the extra `train`")
        stranger.run(("export-backbone", "resnet18", "--weights", "none", "--size", 64, "--out", tmp_path / "out"))
        assert (stranger.sockets(), stranger.left()) == ([], [])


class TestFromPython:
    @pytest.mark.parametrize(
        "module", ["engine.onnx_session", "engine.recognizer", "api.app", "cli.options", "benchmarks.sets"]
    )
    def test_telemetry(self, stranger: Stranger, module: str) -> None:
        """Whoever imports what loads ONNX Runtime has its usage data switched off before, and may switch it on."""
        code = f"import os, {module}, engine.onnx_session; print(os.environ['ORT_DISABLE_TELEMETRY'])"
        for before, after in ({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0"):
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**stranger.variables, "XDG_CACHE_HOME": str(stranger.watched.parent / "theirs"), **before},
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            assert (done.stdout, done.stderr) == (f"{after}\n", "")
        assert stranger.left() == []

    def test_before_the_import(self) -> None:
        """It has to stand there when the library is loaded: nothing of ours imports it but this one module."""
        paths = [p for name in ("engine", "api", "cli", "benchmarks", "training") for p in (ROOT / name).rglob("*.py")]
        starts = ("import onnxruntime", "from onnxruntime")
        importers = {
            path.relative_to(ROOT).as_posix()
            for path in paths
            if any(line.startswith(starts) for line in path.read_text().splitlines())
        }
        assert importers == {"engine/onnx_session.py"}

    def test_matplotlib_of_the_user(self, stranger: Stranger) -> None:
        """Who uses Matplotlib himself keeps its folders, and the style in them."""
        code = "from engine.own_folder import keep_drawings_out_of_home as k; import os; k(); print(len(os.environ.get("
        code += "'MPLCONFIGDIR', '')))"
        command = [sys.executable, "-c", code]
        assert subprocess.check_output(command, env=stranger.variables, cwd=ROOT, text=True) != "0\n"
        (stranger.home / ".config" / "matplotlib").mkdir(parents=True)
        assert subprocess.check_output(command, env=stranger.variables, cwd=ROOT, text=True) == "0\n"


def test_compiled_code_opens_no_socket(stranger: Stranger, tmp_path: Path) -> None:
    """What a library does without Python is seen by the system alone."""
    if (tool := shutil.which("strace")) is None:
        pytest.skip("strace is not here")
    trace = tmp_path / "trace.txt"
    traced = [tool, "-f", "-e", "trace=connect,sendto,sendmsg,bind", "-o", str(trace)]
    if subprocess.run([*traced, "true"], capture_output=True).returncode:
        pytest.skip("strace may not trace here")
    photo, pictures = photograph(tmp_path / "photo.jpg", 1), write(tmp_path / "one.1.jpg", 1)
    data = ("--data", tmp_path / "data")
    commands = (("add", pictures, "--channel", "one", *data), ("find", photo, *data))
    assert [end.status for end in run_all(*commands, variables=stranger.variables, before=traced)] == [0, 0]
    calls = [line for line in trace.read_text().splitlines() if "(" in line and "+++" not in line]
    # Name services of the system are asked through a socket file of this machine.
    assert [line for line in calls if "AF_UNIX" not in line] == []
