"""`obverse app`, and what the server makes of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import service_commands
from tests.support.drawn_pictures import picture
from tests.support.easyar_client import EasyAR, Keys, refused
from tests.support.running_server import Caller, Server, make_channel, make_user


def run(*arguments: str, code: int = 0) -> str:
    """All that a command of `obverse app` prints."""
    return service_commands.run("app", *arguments, code=code)


class TestCommand:
    def test_whole_life(self, easyar_server: Server, owner: Caller) -> None:
        """Each step takes effect in the server's next request."""
        data = ("--user", owner.name, "--data", str(easyar_server.folder), "--json")
        made = json.loads(run("add", "by-command", *data))
        assert set(made) == {"appId", "apiKey", "apiSecret", "channel"}
        app = EasyAR(client=easyar_server.client, keys=Keys(**made))
        app.add(picture(20))
        assert easyar_server.call("GetImages", owner, channel="by-command")["totalcount"] == 1
        assert "has an app already" in run("add", "by-command", *data, code=1)
        rotated = json.loads(run("rotate", "by-command", *data))
        assert {**rotated, "apiSecret": ""} == {**made, "apiSecret": ""}
        refused(app.send("GET", "/targets/count"), 2, 400)
        app = EasyAR(client=easyar_server.client, keys=Keys(**rotated))
        assert app.call("GET", "/targets/count") == {"count": 1}
        listed = run("list", "--data", str(easyar_server.folder), "--json")
        assert rotated["apiSecret"] not in listed
        row = next(row for row in json.loads(listed) if row["channel"] == "by-command")
        assert (row["appId"], row["user"]) == (made["appId"], owner.name)
        assert json.loads(run("remove", "by-command", *data)) == {"channel": "by-command"}
        refused(app.send("GET", "/targets/count"), 4, 400)
        run("remove", "by-command", *data, code=1)
        run("rotate", "by-command", *data, code=1)

    def test_existing_channels(self, easyar_server: Server, owner: Caller) -> None:
        """The owner's own, and one without an owner; not another user's, nor a name outside the rule."""
        folder = easyar_server.folder
        data = ("--data", str(folder))
        make_channel(folder, "owned", owner)
        make_channel(folder, "ownerless", None)
        make_user(folder, "other")
        run("add", "owned", "--user", "other", *data, code=1)
        run("rotate", "owned", "--user", "other", *data, code=1)
        for channel in ("owned", "ownerless"):
            output = run("add", channel, "--user", owner.name, *data)
            assert "apiSecret" in output
        run("add", "a/b", "--user", owner.name, *data, code=1)
        run("add", "new", "--user", "nobody", *data, code=1)
        assert "owned" in run("list", *data)

    def test_a_lost_key_file(self, tmp_path: Path) -> None:
        """Apps can still be listed, and work again after a rotation."""
        data = ("--user", "owner", "--data", str(tmp_path), "--json")
        make_user(tmp_path, "owner")
        assert json.loads(run("list", *data)) == []
        made = json.loads(run("add", "books", *data))
        (tmp_path / "secrets.key").unlink()
        assert json.loads(run("list", *data))[0]["appId"] == made["appId"]
        rotated = json.loads(run("rotate", "books", *data))
        assert rotated["apiSecret"] != made["apiSecret"]
