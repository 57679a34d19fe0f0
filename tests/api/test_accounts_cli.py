"""`obverse user`, `obverse channel` and `obverse stats`, while the server runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.service.accounts import channel_app, user_app
from cli.service.stats import stats
from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server, make_channel

commands = typer.Typer()
commands.add_typer(user_app, name="user")
commands.add_typer(channel_app, name="channel")
commands.command()(stats)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(commands, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


class TestUsers:
    def test_whole_life(self, server: Server) -> None:
        """Each step takes effect in the server's next request."""
        data = ("--data", str(server.folder))
        made = run_json("user", "add", "dora", *data)
        assert set(made) == {"name", "username", "secretkey", "readonly"}
        assert set(made["readonly"]) == {"username", "secretkey"}
        run_json("channel", "add", "doras", "--user", "dora", *data)
        keys = {"username": made["username"], "secretkey": made["secretkey"], "channel": "doras"}
        assert server.code("GetImages", **keys) == 0
        rotated = run_json("user", "rotate-key", "dora", *data)
        assert rotated["username"] == made["username"]
        assert server.code("GetImages", **keys) == 20001
        keys["secretkey"] = rotated["secretkey"]
        assert server.code("GetImages", **keys) == 0
        assert run_json("user", "disable", "dora", *data) == {"name": "dora", "disabled": True}
        assert server.code("GetImages", **keys) == 20001
        run("user", "enable", "dora", *data)
        assert server.code("GetImages", **keys) == 0
        listed = {user["name"]: user for user in run_json("user", "list", *data)}
        assert listed["dora"]["channels"] == 1
        assert listed["dora"]["username"] == made["username"]
        assert "secretkey" not in json.dumps(listed)

    def test_for_people(self, tmp_path: Path) -> None:
        output = run("user", "add", "eve", "--data", str(tmp_path))
        assert output.count("secretkey") == 2
        assert "eve" in run("user", "list", "--data", str(tmp_path))

    @pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, "a/b"])
    def test_names(self, tmp_path: Path, name: str) -> None:
        run("user", "add", name, "--data", str(tmp_path), code=1)

    def test_refusals(self, tmp_path: Path) -> None:
        data = ("--data", str(tmp_path))
        run("user", "add", "eve", *data)
        assert "exists" in run("user", "add", "eve", *data, code=1)
        for command in ("disable", "enable", "rotate-key"):
            assert "no user" in run("user", command, "nobody", *data, code=1)

    def test_usage(self) -> None:
        run("user", "add", code=2)
        run("user", "nonsense", "x", code=2)


class TestChannels:
    @pytest.mark.usefixtures("bob")
    def test_whole_life(self, server: Server, alice: Caller) -> None:
        data = ("--data", str(server.folder))
        made = run_json("channel", "add", "lifelong", "--user", "alice", "--quota", "1", *data)
        assert made == {"channel": "lifelong", "user": "alice", "pictures": 0, "quota": 1}
        assert server.code("AddImage", alice, picture(40), channel="lifelong", identifier="one.1") == 0
        assert server.code("AddImage", alice, picture(41), channel="lifelong", identifier="two.2") == 20012
        run_json("channel", "quota", "lifelong", "none", "--user", "alice", *data)
        assert server.code("AddImage", alice, picture(41), channel="lifelong", identifier="two.2") == 0
        listed = {row["channel"]: row for row in run_json("channel", "list", "--user", "alice", *data)}
        assert listed["lifelong"] == {"channel": "lifelong", "user": "alice", "pictures": 2, "quota": None}
        run("channel", "remove", "lifelong", "--user", "bob", *data, code=1)
        assert run_json("channel", "remove", "lifelong", "--user", "alice", *data)["removed_pictures"] == 2
        assert server.code("FindImage", alice, photo_of(40), channel="lifelong") == 20003
        assert server.call("FindImage", alice, photo_of(40)) == {"returncode": 0}
        run("channel", "add", "lifelong", "--user", "alice", *data)
        assert server.call("FindImage", alice, photo_of(40), channel="lifelong") == {"returncode": 0}

    def test_adopts_an_ownerless_channel(self, server: Server, alice: Caller) -> None:
        make_channel(server.folder, "orphan", None)
        data = ("--data", str(server.folder))
        run("channel", "add", "orphan", "--user", "alice", *data)
        assert server.code("GetImages", alice, channel="orphan") == 0
        run("channel", "add", "orphan", "--user", "alice", *data, code=1)

    @pytest.mark.usefixtures("bob")
    def test_names_are_unique_over_all_users(self, server: Server, books: str) -> None:
        run("channel", "add", books, "--user", "bob", "--data", str(server.folder), code=1)

    def test_refusals(self, tmp_path: Path) -> None:
        data = ("--data", str(tmp_path))
        run("channel", "add", "books", "--user", "nobody", *data, code=1)
        run("user", "add", "eve", *data)
        run("channel", "add", "a/b", "--user", "eve", *data, code=1)
        run("channel", "remove", "none", "--user", "eve", *data, code=1)
        run("channel", "quota", "none", "5", "--user", "eve", *data, code=1)
        run("channel", "quota", "none", "many", "--user", "eve", *data, code=2)
        assert run_json("channel", "list", *data) == []


class TestStats:
    def test_asks_the_running_server(self, server: Server, alice: Caller, channel: str, tmp_path: Path) -> None:
        """DuckDB lets no second process in, and the newest counts must show."""
        server.call("AddImage", alice, picture(42), channel=channel, identifier="shown.1")
        assert server.call("FindImage", alice, photo_of(42), channel=channel)["identifier"] == "shown.1"
        told = run_json("stats", "--data", str(server.folder), "--user", "alice", "--channel", channel)
        assert [(day["channel"], day["matches"]) for day in told["days"]] == [(channel, 1)]
        assert told["top"] == [{"channel": channel, "identifier": "shown.1", "matches": 1}]
        plot = tmp_path / "matches.png"
        assert "shown.1" in run("stats", "--data", str(server.folder), "--channel", channel, "--plot", str(plot))
        assert plot.read_bytes().startswith(b"\x89PNG")

    def test_reads_the_file_when_none_runs(self, tmp_path: Path) -> None:
        import datetime as dt

        from api.stats.store import CountStore, Event

        assert run_json("stats", "--data", str(tmp_path)) == {"days": [], "top": []}
        store = CountStore(tmp_path)
        now = dt.datetime(2026, 5, 4, 12)
        store.append([Event(at=now, day=now.date(), user_id=1, channel="books", identifier="one.1")])
        store.close()
        (tmp_path / "server.json").write_text('{"address": "http://127.0.0.1:9", "token": "x", "pid": 1}')
        told = run_json("stats", "--data", str(tmp_path), "--from", "202605", "--to", "2026")
        assert told["days"] == [{"day": "2026-05-04", "channel": "books", "matches": 1}]
        assert run_json("stats", "--data", str(tmp_path), "--to", "2025")["days"] == []

    def test_refusals(self, tmp_path: Path) -> None:
        run("stats", "--data", str(tmp_path), "--from", "yesterday", code=1)
        run("stats", "--data", str(tmp_path), "--user", "nobody", code=1)


def test_no_effect_at_import() -> None:
    """Importing the service opens nothing, logs nothing and leaves the loggers alone."""
    modules = "api.app, api.server, cli.service.accounts, cli.service.client, cli.service.serve, cli.service.stats"
    code = f"import logging, {modules}; assert not logging.getLogger().handlers"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
