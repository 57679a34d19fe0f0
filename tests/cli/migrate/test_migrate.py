"""`obverse migrate`, from a server that speaks the services' protocols: our own."""

from __future__ import annotations

import dataclasses
import http.server
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.migrate.source import TRIES, SourceError, answered, of_json
from engine.catalogue import Catalogue
from tests.support.commands import Done, run
from tests.support.drawn_pictures import photo_of, picture
from tests.support.easyar_client import EasyAR, make_app
from tests.support.running_server import Caller, Server, make_channel, make_user, serving
from tests.support.vuforia_client import make_database
from tests.support.web import told, web

NAMES = {1: "cover", 2: "a poster, second ed.", 3: "gone"}
"""By number of the drawn picture; the originals lack the last one."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("elsewhere")
    with serving(folder / "data", log=folder / "log") as running:
        yield running


@pytest.fixture(scope="module")
def owner(elsewhere: Server) -> Caller:
    return make_user(elsewhere.folder, "owner")


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "originals"
    (folder / "deep").mkdir(parents=True)
    (folder / "Cover.jpg").write_bytes(picture(1))
    (folder / "deep" / "a poster, second ed..jpg").write_bytes(picture(2))
    return folder


def migrate(tmp_path: Path, service: str, keys: dict[str, Any], *options: object) -> Done:
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    arguments = ("--keys", tmp_path / "keys.json", "--channel", "mine", "--data", tmp_path / "data", "--json")
    return run("migrate", service, *arguments, *options)


def taken(tmp_path: Path) -> dict[str, Any]:
    catalogue = Catalogue(tmp_path / "data")
    try:
        return {picture.identifier: picture for picture in catalogue.pictures("mine", limit=100)}
    finally:
        catalogue.close()


def test_vuforia(elsewhere: Server, owner: Caller, originals: Path, tmp_path: Path) -> None:
    """Names, widths, ids and whether they are active; what has no original, and what the service does not tell, is
    told; run again it goes on."""
    database = make_database(elsewhere.folder, "vuforia", owner, http=elsewhere.client)
    ids = {
        name: database.add(picture(number), name=name, width=number, active_flag=number != 2)
        for number, name in NAMES.items()
    }
    keys = {"server": dataclasses.asdict(database.server), "base_url": f"{elsewhere.base}/vuforia"}
    done = migrate(tmp_path, "vuforia", keys, "--originals", originals)
    assert (done.status, done.json["found"], done.json["added"]) == (1, 3, 2)
    assert done.json["without_original"] == ["gone"]
    assert list(done.json["not_taken_over"]) == ["metadata"]
    cover, poster = (next(p for p in taken(tmp_path).values() if p.active == active) for active in (True, False))
    assert cover.uuid.replace("-", "") == ids["cover"]
    assert (cover.identifier, cover.facts["vuforia"]) == ("cover", {"name": "cover", "width": 1.0})
    assert poster.facts["vuforia"]["name"] == NAMES[2]
    (originals / "gone.png").write_bytes(picture(3))
    again = migrate(tmp_path, "vuforia", keys, "--originals", originals)
    assert (again.status, again.json["added"], again.json["present"]) == (0, 1, 2)
    with serving(tmp_path / "data", log=tmp_path / "log") as server:
        here = make_user(server.folder, "here")
        catalogue = Catalogue(server.folder)
        catalogue.close()
        assert run("channel", "add", "mine", "--user", "here", "--data", server.folder).status == 0
        assert server.call("FindImage", here, photo_of(1), channel="mine")["identifier"] == "cover"


def test_easyar(elsewhere: Server, owner: Caller, originals: Path, tmp_path: Path) -> None:
    """Metadata too; where there is no original, the picture that clients track stands in for it."""
    keys = make_app(elsewhere.folder, "easyar", owner)
    app = EasyAR(client=elsewhere.client, keys=keys)
    ids = {}
    for number, name in NAMES.items():
        ids[name] = app.add(picture(number), name=name, meta=f"m{number}", size="7")["targetId"]
    given = {"appId": keys.appId, "apiKey": keys.apiKey, "apiSecret": keys.apiSecret, "base_url": elsewhere.base}
    done = migrate(tmp_path, "easyar", given, "--originals", originals)
    assert (done.status, done.json["added"], done.json["stand_ins"]) == (0, 3, ["gone"])
    by_uuid = {picture.uuid: picture for picture in taken(tmp_path).values()}
    for number, name in NAMES.items():
        found = by_uuid[ids[name]]
        mine = found.facts["easyar"]
        assert (found.metadata, mine["name"], mine["size"], mine["allowSimilar"]) == (f"m{number}", name, "7", False)
    (tmp_path / "alone").mkdir()
    alone = migrate(tmp_path / "alone", "easyar", given)
    assert (alone.status, len(alone.json["stand_ins"])) == (0, 3)


def test_kivicube(elsewhere: Server, owner: Caller, originals: Path, tmp_path: Path) -> None:
    name = make_channel(elsewhere.folder, "kivicube", owner)
    for number, identifier in ((1, "cover"), (2, "twice"), (3, "gone")):
        fields = {"channel": name, "identifier": identifier, "metadata": "ä", "matchratio": 60 + number}
        assert elsewhere.code("AddImage", owner, picture(number), **fields) == 0
    for place in ("x", "y"):
        (originals / place).mkdir()
        (originals / place / "twice.jpg").write_bytes(picture(2))
    given = {**owner.fields, "channel": name, "base_url": elsewhere.base}
    done = migrate(tmp_path, "kivicube", given, "--originals", originals)
    assert (done.status, done.json["added"], done.json["without_original"]) == (1, 1, ["gone"])
    assert "several originals" in done.json["refused"]["twice"]
    found = taken(tmp_path)["cover"]
    assert (found.metadata, found.threshold) == ("ä", 61.0)


class TestRefusals:
    def test_keys(self, originals: Path, tmp_path: Path) -> None:
        full = {"access_key": "a", "secret_key": "b"}
        for service, keys, options in (
            ("vuforia", full, ()),
            ("vuforia", {"access_key": "a"}, ("--originals", originals)),
            ("vuforia", {"server": 5}, ("--originals", originals)),
            ("kivicube", {"username": "a", "secretkey": "b", "channel": "c"}, ("--originals", originals)),
            ("other", full, ("--originals", originals)),
        ):
            assert migrate(tmp_path, service, keys, *options).status == 2
        assert not (tmp_path / "data").exists()

    def test_the_services_refusal(self, elsewhere: Server, originals: Path, tmp_path: Path) -> None:
        """Said in a line; nothing was taken, and that is told."""
        keys = {"access_key": "a" * 40, "secret_key": "b", "base_url": f"{elsewhere.base}/vuforia"}
        done = migrate(tmp_path, "vuforia", keys, "--originals", originals)
        assert done.status == 1
        assert "Vuforia answers 'Fail'" in done.err
        assert done.json["found"] == 0
        given = {"appId": "x", "apiKey": "y", "apiSecret": "z", "base_url": elsewhere.base}
        assert "EasyAR answers 4" in migrate(tmp_path, "easyar", given).err
        given = {"username": "x", "secretkey": "y", "channel": "z", "base_url": elsewhere.base}
        assert "Kivicube answers 20001" in migrate(tmp_path, "kivicube", given, "--originals", originals).err

    def test_no_answer(self) -> None:
        """Asked again where the service is busy or silent, so often; then told."""
        seen: list[int] = []
        waited: list[float] = []

        def busy(request: http.server.BaseHTTPRequestHandler) -> None:
            seen.append(1)
            status = 429 if len(seen) < 3 else 200
            told(request, b"[]" if status == 200 else b"", status=status, Retry_After="3")

        with web(busy) as base, httpx.Client(base_url=base) as client:
            response = answered(lambda: client.get("/"), sleep=waited.append)
            assert (response.status_code, waited) == (200, [3.0, 3.0])
            with pytest.raises(SourceError, match="no JSON object"):
                of_json(response)
        with httpx.Client(base_url=base) as client, pytest.raises(SourceError, match="does not answer"):
            answered(lambda: client.get("/"), sleep=waited.append)
        assert len(waited) == 2 + TRIES - 1
