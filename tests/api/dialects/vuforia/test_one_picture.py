"""One picture, three dialects: what one adds, the others find, list, change and remove."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import uuid

import pytest

from api.accounts.databases import Databases
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from engine.catalogue import Catalogue
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.easyar_client import EasyAR, b64, make_app
from tests.support.running_server import Caller, Server
from tests.support.vuforia_client import Vuforia, refused, succeeded

_numbers = itertools.count(1)


@pytest.fixture
def shared(vuforia_server: Server, owner: Caller) -> tuple[str, Vuforia, EasyAR]:
    """A channel with an app and a database."""
    name = f"shared-{next(_numbers)}"
    app = EasyAR(client=vuforia_server.client, keys=make_app(vuforia_server.folder, name, owner))
    with contextlib.closing(Catalogue(vuforia_server.folder)) as catalogue:
        Accounts(catalogue.database)
        keys = Databases(catalogue.database, Vault(vuforia_server.folder)).add(catalogue.channel(name))
    return name, Vuforia(http=vuforia_server.client, server=keys.server, client=keys.client), app


Shared = tuple[str, Vuforia, EasyAR]


class TestAddedHere:
    def test_found_by_all(self, vuforia_server: Server, owner: Caller, shared: Shared) -> None:
        """The name is the identifier where it can be one; metadata is text where it is."""
        channel, vuforia, easyar = shared
        target_id = vuforia.add(picture(20), name="cover.1", application_metadata=b64(b"hello"))
        found = vuforia_server.call("FindImage", owner, photo_of(20), channel=channel)
        assert (found["returncode"], found["identifier"]) == (0, "cover.1")
        shown = vuforia_server.call("GetImage", owner, channel=channel, identifier="cover.1")
        assert shown["metadata"] == "hello"
        target = easyar.call("POST", "/search", {"image": b64(photo_of(20))})["target"]
        assert uuid.UUID(target["targetId"]).hex == target_id
        assert (target["name"], target["meta"], target["active"]) == ("cover.1", "hello", "1")

    def test_other_names(self, vuforia_server: Server, owner: Caller, shared: Shared) -> None:
        channel, vuforia, _ = shared
        vuforia.add(picture(20), name="Über")
        identifier = vuforia_server.call("FindImage", owner, photo_of(20), channel=channel)["identifier"]
        assert identifier.startswith("v.")
        assert vuforia_server.call("RemoveImage", owner, channel=channel, identifier=identifier)["returncode"] == 0
        assert vuforia.found(photo_of(20)) == []

    def test_failed_ones_are_seen_here_alone(self, vuforia_server: Server, owner: Caller, shared: Shared) -> None:
        channel, vuforia, easyar = shared
        vuforia.add(flat(), name="dull")
        assert vuforia_server.call("GetImages", owner, channel=channel)["totalcount"] == 0
        assert easyar.call("GET", "/targets/count") == {"count": 0}
        added = vuforia_server.call("AddImage", owner, picture(20), channel=channel, identifier="dull")
        assert added["returncode"] == 0
        refused(
            vuforia.send("POST", "/targets", {"name": "dull", "width": 1, "image": b64(picture(21))}),
            403,
            "TargetNameExist",
        )


class TestAddedElsewhere:
    def test_by_kivicube(self, vuforia_server: Server, owner: Caller, shared: Shared) -> None:
        channel, vuforia, _ = shared
        vuforia_server.call("AddImage", owner, picture(20), channel=channel, identifier="kivi.1", metadata='{"a": 1}')
        (found,) = vuforia.found(photo_of(20))
        assert (found["target_data"]["name"], found["target_data"]["application_metadata"]) == (
            "kivi.1",
            b64(b'{"a": 1}'),
        )
        record = vuforia.get(found["target_id"])["target_record"]
        assert (record["name"], record["width"], record["active_flag"]) == ("kivi.1", 1.0, True)
        assert succeeded(vuforia.send("GET", "/targets"))["results"] == [found["target_id"]]
        refused(
            vuforia.send("POST", "/targets", {"name": "kivi.1", "width": 1, "image": b64(picture(21))}),
            403,
            "TargetNameExist",
        )
        succeeded(
            vuforia.send(
                "PUT", f"/targets/{found['target_id']}", {"name": "renamed", "application_metadata": b64(b"b")}
            )
        )
        shown = vuforia_server.call("GetImage", owner, channel=channel, identifier="renamed")
        assert (shown["returncode"], shown["metadata"]) == (0, "b")
        succeeded(vuforia.send("DELETE", f"/targets/{found['target_id']}"))
        assert vuforia_server.call("GetImages", owner, channel=channel)["totalcount"] == 0

    def test_by_easyar(self, shared: Shared) -> None:
        _, vuforia, easyar = shared
        target = easyar.add(picture(20), name="easy", meta="meta", active="0")
        target_id = uuid.UUID(target["targetId"]).hex
        assert vuforia.get(target_id)["target_record"]["active_flag"] is False
        succeeded(vuforia.send("PUT", f"/targets/{target_id}", {"active_flag": True}))
        assert vuforia.found(photo_of(20))[0]["target_data"]["application_metadata"] == b64(b"meta")
        shown = easyar.call("GET", f"/target/{target['targetId']}")
        assert (shown["active"], shown["name"]) == ("1", "easy")

    def test_metadata_changed_elsewhere(self, vuforia_server: Server, owner: Caller, shared: Shared) -> None:
        """What was bytes is text now."""
        channel, vuforia, _ = shared
        vuforia.add(picture(20), name="bytes", application_metadata=b64(b"\xff"))
        changed = vuforia_server.call("UpdateImageInfo", owner, channel=channel, identifier="bytes", metadata="text")
        assert changed["returncode"] == 0
        assert vuforia.found(photo_of(20))[0]["target_data"]["application_metadata"] == b64(b"text")

    def test_counts_are_shared(self, vuforia_server: Server, owner: Caller, shared: Shared) -> None:
        channel, vuforia, easyar = shared
        target_id = vuforia.add(picture(20), name="counted")
        vuforia.found(photo_of(20))
        vuforia_server.call("FindImage", owner, photo_of(20), channel=channel)
        easyar.call("POST", "/search", {"image": b64(photo_of(20))})
        assert succeeded(vuforia.send("GET", f"/summary/{target_id}"))["total_recos"] == 3
        assert succeeded(vuforia.send("GET", "/summary"))["current_month_recos"] == 3


class TestAtOnce:
    def test_one_name(self, shared: Shared) -> None:
        """Of many requests for one name, one wins."""
        _, vuforia, _ = shared
        body = {"name": "wanted", "width": 1, "image": b64(picture(20))}
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: vuforia.send("POST", "/targets", body), range(6)))
        assert sorted(answer.status_code for answer in answers) == [201, *[403] * 5]
        assert len(succeeded(vuforia.send("GET", "/targets"))["results"]) == 1

    def test_all_dialects(self, vuforia_server: Server, owner: Caller, shared: Shared) -> None:
        """What each was told is added is there, and the counts are exact."""
        channel, vuforia, easyar = shared

        def add(number: int) -> bool:
            image = picture(60 + number)
            if number % 3 == 0:
                return bool(vuforia.add(image))
            if number % 3 == 1:
                return bool(easyar.add(image, name=f"n{number}")["targetId"])
            return (
                vuforia_server.call("AddImage", owner, image, channel=channel, identifier=f"k.{number}")["returncode"]
                == 0
            )

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            assert all(pool.map(add, range(9)))
            found = list(pool.map(lambda number: vuforia.found(photo_of(60 + number)), range(9)))
        assert all(found)
        results = succeeded(vuforia.send("GET", "/targets"))["results"]
        assert len(results) == len(set(results)) == 9
        assert {one[0]["target_id"] for one in found} == set(results)
        assert succeeded(vuforia.send("GET", "/summary"))["total_recos"] == 9
