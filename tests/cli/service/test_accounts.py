"""`obverse user` and `obverse channel`, while the server runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server, make_channel
from tests.support.service_commands import run, run_json


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
        run("user", "add", "eve", *data)
        run("channel", "add", "books", "--user", "nobody", *data, code=1)
        run("channel", "add", "a/b", "--user", "eve", *data, code=1)
        run("channel", "remove", "none", "--user", "eve", *data, code=1)
        run("channel", "quota", "none", "5", "--user", "eve", *data, code=1)
        run("channel", "quota", "none", "many", "--user", "eve", *data, code=2)
        assert run_json("channel", "list", *data) == []
