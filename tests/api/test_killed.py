"""A server that is killed while clients of all dialects speak to it loses nothing that it acknowledged, and has counted
what it answered."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.accounts.apps import Apps
from api.accounts.databases import Databases
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from engine.catalogue import Catalogue
from tests.support.drawn_pictures import photo_of, picture
from tests.support.easyar_client import EasyAR, Keys
from tests.support.easyar_client import b64 as as_text
from tests.support.running_server import Caller, Server, make_channel, make_user, serving
from tests.support.vuforia_client import Vuforia

pytestmark = pytest.mark.slow

CHANNEL = "shared"
KNOWN = {"kivicube": 1, "easyar": 2, "vuforia": 3}
"""The drawn picture that each dialect's client asks for; all were added before."""
ROUNDS = 4


@dataclass
class Client:
    """One dialect's client: it adds new pictures and asks for its own, until the server is gone."""

    add: Callable[[int], str]
    """Adds a drawn picture; gives its UUID, or its identifier where the dialect knows no UUID."""
    find: Callable[[], bool]
    """Whether its picture was answered."""
    first: int
    """Number of its first drawn picture."""
    added: list[str] = field(default_factory=list)
    answered: int = 0
    trying: bool = False
    """Whether an addition was under way at the end."""
    asking: bool = False
    """Whether a search was under way at the end."""

    def run(self) -> None:
        number = self.first
        with contextlib.suppress(httpx.HTTPError):
            while True:
                self.trying = True
                self.added.append(self.add(number))
                self.trying, self.asking = False, True
                self.answered += self.find()
                self.asking = False
                number += 1


def keys_of(folder: Path) -> tuple[Keys, Databases, Any]:
    """An app and a database of the one channel."""
    with contextlib.closing(Catalogue(folder)) as catalogue:
        Accounts(catalogue.database)
        channel, vault = catalogue.channel(CHANNEL), Vault(folder)
        app, pairs = Apps(catalogue.database, vault).add(channel), Databases(catalogue.database, vault).add(channel)
    return Keys(appId=app.app_id, apiKey=app.api_key, apiSecret=app.api_secret, channel=CHANNEL), pairs, app


def clients(server: Server, user: Caller, app_keys: Keys, pairs: Any, *, first: int) -> list[Client]:
    """Each with a connection of its own."""
    spoken = [httpx.Client(base_url=server.base, timeout=60) for _ in KNOWN]
    own = Server(folder=server.folder, process=server.process, base=server.base, log=server.log, client=spoken[0])
    easyar = EasyAR(client=spoken[1], keys=app_keys)
    vuforia = Vuforia(http=spoken[2], server=pairs.server, client=pairs.client)

    def add_kivicube(number: int) -> str:
        name = f"kivicube.{number}"
        assert own.code("AddImage", user, picture(number), channel=CHANNEL, identifier=name) == 0
        return name

    def find_kivicube() -> bool:
        found = own.call("FindImage", user, photo_of(KNOWN["kivicube"]), channel=CHANNEL)
        assert found.get("identifier", "known.1") == "known.1"
        return "identifier" in found

    def add_easyar(number: int) -> str:
        return easyar.add(picture(number), name=f"easyar {number}")["targetId"]

    def find_easyar() -> bool:
        answer = easyar.send("POST", "/search", {"image": as_text(photo_of(KNOWN["easyar"])), "notracking": "1"}).json()
        assert answer["statusCode"] in (0, 17)
        return answer["statusCode"] == 0

    def add_vuforia(number: int) -> str:
        made = vuforia.add(picture(number), name=f"vuforia {number}")
        return f"{made[:8]}-{made[8:12]}-{made[12:16]}-{made[16:20]}-{made[20:]}"

    def find_vuforia() -> bool:
        return bool(vuforia.found(photo_of(KNOWN["vuforia"])))

    return [
        Client(add=add_kivicube, find=find_kivicube, first=first),
        Client(add=add_easyar, find=find_easyar, first=first + 1_000),
        Client(add=add_vuforia, find=find_vuforia, first=first + 2_000),
    ]


def test_three_dialects_on_one_channel(tmp_path: Path) -> None:
    """Killed again and again at any moment. Every picture that one dialect's client was told is there, and the others'
    clients see it; none is there twice, and no more than the one each that was under way; so are the counts."""
    folder, log, rng = tmp_path / "data", tmp_path / "log", random.Random(5)
    added: list[str] = []
    answered = dict.fromkeys(KNOWN, 0)
    under_way = 0
    asked_at_the_end = dict.fromkeys(KNOWN, 0)
    with serving(folder, log=log) as server:
        user = make_user(folder, "shop")
        make_channel(folder, CHANNEL, user)
        for number in KNOWN.values():
            fields = {"channel": CHANNEL, "identifier": f"known.{number}"}
            assert server.code("AddImage", user, picture(number), **fields) == 0
        app_keys, pairs, _ = keys_of(folder)
    for turn in range(ROUNDS):
        with serving(folder, log=log) as server:
            asking = clients(server, user, app_keys, pairs, first=10 + 100 * turn)
            threads = [threading.Thread(target=client.run) for client in asking]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(1.5, 4))
            server.kill()
            for thread in threads:
                thread.join(timeout=60)
            for name, client in zip(KNOWN, asking, strict=True):
                added += client.added
                answered[name] += client.answered
                under_way += client.trying
                asked_at_the_end[name] += client.asking
    assert len(added) > 3 * ROUNDS
    assert all(count > 0 for count in answered.values())
    with serving(folder, log=log) as server:
        with contextlib.closing(Catalogue(folder, read_only=True)) as catalogue:
            there = catalogue.pictures(CHANNEL, limit=100_000)
        names = {picture.uuid for picture in there} | {picture.identifier for picture in there}
        assert set(added) <= names
        assert len(added) + len(KNOWN) <= len(there) <= len(added) + len(KNOWN) + under_way
        easyar, vuforia = clients_of(server, app_keys, pairs)
        assert server.call("GetImages", user, channel=CHANNEL)["totalcount"] == len(there)
        assert easyar.call("GET", "/targets/count")["count"] == len(there)
        assert len(vuforia.send("GET", "/targets").json()["results"]) == len(there)
        records = server.call("Statistics", user, channel=CHANNEL, startdate="2020", enddate="2100")["records"]
        for name, number in KNOWN.items():
            counted = sum(record["count"] for record in records if record["identifier"] == f"known.{number}")
            assert answered[name] <= counted <= answered[name] + asked_at_the_end[name], name
        assert server.stop() == 0


def clients_of(server: Server, app_keys: Keys, pairs: Any) -> tuple[EasyAR, Vuforia]:
    easyar = EasyAR(client=server.client, keys=app_keys)
    return easyar, Vuforia(http=server.client, server=pairs.server, client=pairs.client)
