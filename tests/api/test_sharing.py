"""One picture, two dialects: what one does the other sees; what both leave behind outlives the server."""

from __future__ import annotations

import datetime as dt
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import service_commands
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.easyar_client import EasyAR, Keys, b64, refused, signed
from tests.support.running_server import Caller, Server, make_user, serving

DAYS = {"startdate": "2020", "enddate": "2100"}


def run(*arguments: str, code: int = 0) -> str:
    """All that a command of `obverse app` prints."""
    return service_commands.run("app", *arguments, code=code)


def found_by(app: EasyAR, seed: int) -> dict[str, Any] | None:
    answer = app.send("POST", "/search", {"image": b64(photo_of(seed)), "notracking": "true"}).json()
    assert answer["statusCode"] in (0, 17)
    return answer["result"]["target"] if answer["statusCode"] == 0 else None


class TestSharing:
    def test_added_through_easyar(self, easyar_server: Server, app: EasyAR, owner: Caller) -> None:
        """The identifier is the UUID without dashes; meta is metadata."""
        target = app.add(picture(20), meta="shared", name="any name")
        identifier = target["targetId"].replace("-", "")
        channel = app.keys.channel
        found = easyar_server.call("FindImage", owner, photo_of(20), channel=channel)
        assert found == {"returncode": 0, "identifier": identifier}
        told = easyar_server.call("GetImage", owner, channel=channel, identifier=identifier)
        assert (told["metadata"], told["level"]) == ("shared", 5 - int(target["grade"]))

    def test_added_through_kivicube(self, easyar_server: Server, app: EasyAR, owner: Caller) -> None:
        """The name is the identifier; EasyAR's own fields have its defaults."""
        channel = app.keys.channel
        added = easyar_server.call(
            "AddImage", owner, picture(20), channel=channel, identifier="cover.1", metadata="kivicube's"
        )
        target = found_by(app, 20)
        assert target is not None
        assert (target["name"], target["meta"], target["size"]) == ("cover.1", "kivicube's", "20")
        assert (target["active"], target["allowSimilar"], target["type"]) == ("1", "0", "ImageTarget")
        assert int(target["grade"]) == 5 - added["level"]
        refused(app.send("POST", "/targets", {"image": b64(picture(20)), "name": "x", "type": "ImageTarget"}), 403)

    def test_changes(self, easyar_server: Server, app: EasyAR, owner: Caller) -> None:
        """Metadata, threshold, being active, image: one set of facts."""
        target = app.add(picture(20), meta="old")["targetId"]
        asked = {"channel": app.keys.channel, "identifier": target.replace("-", "")}
        assert easyar_server.code("UpdateImageInfo", owner, **asked, metadata="new", matchratio="0.3") == 0
        assert app.call("GET", f"/target/{target}")["meta"] == "new"
        app.call("PUT", f"/target/{target}", {"meta": "newer", "image": b64(picture(21))})
        told = easyar_server.call("GetImage", owner, **asked)
        assert (told["metadata"], told["matchratio"]) == ("newer", 30)
        found = easyar_server.call("FindImage", owner, photo_of(21), channel=app.keys.channel)
        assert found["identifier"] == asked["identifier"]
        app.call("PUT", f"/target/{target}", {"active": "0"})
        assert easyar_server.call("FindImage", owner, photo_of(21), channel=app.keys.channel) == {"returncode": 0}
        assert easyar_server.call("GetImages", owner, channel=app.keys.channel)["totalcount"] == 1

    def test_threshold(self, easyar_server: Server, app: EasyAR, owner: Caller) -> None:
        """Kivicube's matchratio holds for EasyAR's search."""
        target = app.add(picture(20))["targetId"]
        asked = {"channel": app.keys.channel, "identifier": target.replace("-", "")}
        assert easyar_server.code("UpdateImageInfo", owner, **asked, matchratio="100") == 0
        assert found_by(app, 20) is None

    def test_removals(self, easyar_server: Server, app: EasyAR, owner: Caller) -> None:
        target = app.add(picture(20))["targetId"]
        asked = {"channel": app.keys.channel, "identifier": target.replace("-", "")}
        assert easyar_server.code("RemoveImage", owner, **asked) == 0
        refused(app.send("GET", f"/target/{target}"), 404)
        assert found_by(app, 20) is None

    def test_statistics(self, easyar_server: Server, app: EasyAR, owner: Caller) -> None:
        """Recognitions of both dialects count, once each; misses, similar and grades do not."""
        target = app.add(picture(20))["targetId"].replace("-", "")
        for _ in range(2):
            assert found_by(app, 20)
        assert easyar_server.call("FindImage", owner, photo_of(20), channel=app.keys.channel)["identifier"] == target
        assert found_by(app, 30) is None
        app.call("POST", "/similar", {"image": b64(photo_of(20))})
        app.call("POST", "/grade/detection", {"image": b64(photo_of(20))})
        parts = [("image", ("p.jpg", photo_of(20), "image/jpeg"))]
        parts += [(name, (None, str(value))) for name, value in signed(app.keys, {}).items()]  # type: ignore[misc]
        assert app.client.post("/v2/search", files=parts).json()["statusCode"] == 0
        records = easyar_server.call("Statistics", owner, channel=app.keys.channel, **DAYS)["records"]
        assert [(record["identifier"], record["count"]) for record in records] == [(target, 4)]

    def test_unusable_in_both(self, easyar_server: Server, app: EasyAR, owner: Caller) -> None:
        assert app.call("POST", "/grade/detection", {"image": b64(flat())}) == {"grade": -1}
        code = easyar_server.code("AddImage", owner, flat(), channel=app.keys.channel, identifier="flat")
        assert code == 20013

    def test_edits_at_once(self, app: EasyAR) -> None:
        """Two clients that change different fields of a target lose none."""
        target = app.add(picture(20))["targetId"]

        def edit(number: int) -> None:
            app.call("PUT", f"/target/{target}", {f"field{number}": "kept"})

        threads = [threading.Thread(target=edit, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = app.call("GET", f"/target/{target}")
        assert [told.get(f"field{number}") for number in range(6)] == ["kept"] * 6

    def test_a_disabled_owner(self, easyar_server: Server) -> None:
        """The apps of a disabled user do not exist; nor does that of a channel that was removed."""
        data = ("--data", str(easyar_server.folder))
        make_user(easyar_server.folder, "gone")
        for channel in ("gone-1", "gone-2"):
            run("add", channel, "--user", "gone", *data)
        apps = {row["channel"]: row for row in json.loads(run("list", "--user", "gone", *data, "--json"))}
        keys = {
            channel: Keys(**json.loads(run("rotate", channel, "--user", "gone", *data, "--json"))) for channel in apps
        }
        one, two = (EasyAR(client=easyar_server.client, keys=keys[name]) for name in ("gone-1", "gone-2"))
        service_commands.run("channel", "remove", "gone-1", "--user", "gone", *data)
        refused(one.send("GET", "/targets/count"), 4, 400)
        assert two.call("GET", "/targets/count") == {"count": 0}
        service_commands.run("user", "disable", "gone", *data)
        refused(two.send("GET", "/targets/count"), 4, 400)


@pytest.mark.slow
def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    """Targets, keys and tokens outlive a killed server."""
    folder = tmp_path / "data"
    folder.mkdir()
    owner = make_user(folder, "owner")
    keys = Keys(**json.loads(run("add", "books", "--user", owner.name, "--data", str(folder), "--json")))
    with serving(folder, log=tmp_path / "log") as server:
        app = EasyAR(client=server.client, keys=keys)
        target = app.add(picture(20), mine="kept")
        token = app.with_token("READ").token
        server.kill()
    with serving(folder, log=tmp_path / "log") as server:
        app = EasyAR(client=server.client, keys=keys, token=token)
        assert app.call("GET", f"/target/{target['targetId']}") == target
        found = app.call("POST", "/search", {"image": b64(photo_of(20))})["target"]
        assert found["targetId"] == target["targetId"]
        assert server.stop() == 0


def test_day_of_a_count(easyar_server: Server, app: EasyAR, owner: Caller) -> None:
    """Today, in the server's time zone."""
    app.add(picture(20))
    assert found_by(app, 20)
    records = easyar_server.call("Statistics", owner, channel=app.keys.channel, **DAYS)["records"]
    assert records[0]["date"] in {
        (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=m)).strftime("%Y%m%d") for m in (0, 5)
    }


def test_clients_with_keepalive_do_not_wait(easyar_server: Server) -> None:
    """Answers go out at once (TCP_NODELAY): twenty on one connection need far less than 40 ms each."""
    with httpx.Client(base_url=easyar_server.base) as client:
        client.get("/ping")
        started = dt.datetime.now(dt.UTC)
        for _ in range(20):
            client.get("/ping")
        assert (dt.datetime.now(dt.UTC) - started).total_seconds() < 0.6
