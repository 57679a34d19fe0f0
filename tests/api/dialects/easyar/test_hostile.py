"""What clumsy and hostile clients send: numbers, nulls, depths, lengths, and parameters that nobody signed."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import textwrap
from typing import Any

import pytest
from websockets.sync.client import connect

from api.accounts.apps import Apps
from api.accounts.vault import Vault
from api.dialects.easyar.contract import OPERATIONS
from api.dialects.easyar.parameters import from_base64, from_json
from api.dialects.easyar.targets import Wanted
from api.errors import BodyTooLarge, MalformedBody
from engine.catalogue import Catalogue, StoredFeatures
from tests.support.drawn_pictures import photo_of, picture
from tests.support.easyar_client import (
    TARGET,
    EasyAR,
    b64,
    listed_id,
    refused,
    signature,
    signed,
    signed_legacy,
    succeeded,
)
from tests.support.running_server import Server

JSON = {"Content-Type": "application/json"}


def ask_tunnel(app: EasyAR, tunnel: str, message: bytes) -> dict[str, Any]:
    with connect(f"ws://{app.client.base_url.netloc.decode()}/services/recognize/{tunnel}") as socket:
        socket.send(message)
        return json.loads(socket.recv(timeout=30))


class TestNumbers:
    """A number is as good as its text, wherever a text is wanted."""

    def test_created(self, app: EasyAR) -> None:
        """Created and answered: not created, and then a failure told."""
        target = app.call("POST", "/targets", {**TARGET, "meta": 5, "size": 7.5, "active": 1, "allowSimilar": 0})
        assert (target["meta"], target["size"], target["active"], target["allowSimilar"]) == ("5", "7.5", "1", "0")
        assert app.call("GET", f"/target/{target['targetId']}") == target

    def test_updated(self, app: EasyAR) -> None:
        target = app.add(picture(20))["targetId"]
        assert app.call("PUT", f"/target/{target}", {"meta": 12345})["meta"] == "12345"
        image = {"image": b64(picture(21)), "meta": 6}
        assert app.call("PUT", f"/target/{target}", image)["meta"] == "6"

    def test_named(self, app: EasyAR) -> None:
        assert app.call("POST", "/targets", {**TARGET, "name": 7})["name"] == "7"

    @pytest.mark.parametrize("name", ["meta", "name", "size", "image", "active"])
    def test_no_texts(self, app: EasyAR, name: str) -> None:
        """What is neither is told by its name, and nothing is created."""
        answer = refused(app.send("POST", "/targets", {**TARGET, name: True}), 414)
        assert name in answer["result"]["message"]
        assert app.call("GET", "/targets/count") == {"count": 0}


class TestDepth:
    def test_acl(self, gallery: EasyAR) -> None:
        for acl in ("[" * 2_000, '[{"service":' * 300, '[{"x":' + "[" * 4_000):
            refused(gallery.make_token(acl=acl), 4001025)

    def test_body(self, gallery: EasyAR) -> None:
        for body in (b"[" * 60_000, b'{"a":' * 10_000, b'{"a":' + b"[" * 60_000):
            refused(gallery.client.post("/tunnels", content=body, headers=JSON), 414, 400)

    def test_tunnel(self, gallery: EasyAR, easyar_server: Server) -> None:
        """Told and counted, on a connection that lives on."""
        before = len(easyar_server.log_text())
        tunnel = gallery.call("POST", "/tunnels")["tunnel"]
        counted = 'obverse_requests_total{code="414",method="tunnel"}'
        for message in (b"\x91" * 100_000, b"\x81\xa1a" * 30_000, b"\x81\xa5image" + b"\x91" * 100_000):
            assert ask_tunnel(gallery, tunnel, message)["statusCode"] == 414
        assert counted in easyar_server.client.get("/metrics").text
        assert "Traceback" not in easyar_server.log_text()[before:]


class TestLengths:
    """Each operation reads as much as its parameters may hold, before anyone is known."""

    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
    def test_422(self, gallery: EasyAR, operation: Any) -> None:
        if operation.source != "json":
            return
        path = operation.paths[0].replace("{target_id:str}", "x")
        most = 65_536 + 6_291_456 * operation.image + 6_000_000 * operation.meta
        body = b'{"a":"' + b"a" * most + b'"}'
        refused(gallery.client.request(operation.verb, path, content=body, headers=JSON), 422)
        refused(gallery.client.request(operation.verb, path, content=body[9:], headers=JSON), 414, 400)

    def test_token(self, gallery: EasyAR) -> None:
        refused(gallery.client.post("/token/v2", content=b" " * 70_000, headers=JSON), 422)

    def test_every_slash_escaped(self, gallery: EasyAR) -> None:
        r"""An image whose base64 is all "/", each written as "\/", is not too long."""
        content = signed(gallery.keys, {"image": b64(photo_of(1)[:-2] + b"\xff" * 2_000_000)})
        body = json.dumps(content).replace("/", "\\/").encode()
        assert len(body) > 5_000_000
        assert gallery.client.post("/search", content=body, headers=JSON).json()["statusCode"] in (0, 427)


class TestNamesTwice:
    def test_with_one_value(self, gallery: EasyAR) -> None:
        body = json.dumps(signed(gallery.keys, {"a": "1"}))[:-1] + ',"a":"1"}'
        succeeded(gallery.client.post("/tunnels", content=body, headers=JSON))

    @pytest.mark.parametrize("second", ['"2"', "1", "null", "true", '["1"]'])
    def test_with_two(self, gallery: EasyAR, second: str) -> None:
        body = json.dumps(signed(gallery.keys, {"a": "1"}))[:-1] + f',"a":{second}}}'
        refused(gallery.client.post("/tunnels", content=body, headers=JSON), 414, 400)

    def test_true_is_not_one(self) -> None:
        with pytest.raises(MalformedBody):
            from_json(b'{"a":true,"a":1}')


class TestUnsigned:
    """Who saw a request can add to it: what the signature does not cover does not count."""

    @pytest.mark.parametrize(
        "added", [{"active": 0}, {"size": 99}, {"meta": 12345}, {"name": 5}, {"active": False}, {"meta": {"a": 1}}]
    )
    def test_legacy(self, app: EasyAR, added: dict[str, Any]) -> None:
        """SHA-1 signs strings alone. Another value of a parameter that we read is told, not taken."""
        before = app.add(picture(20), meta="old")
        path = f"/target/{before['targetId']}"
        content = signed_legacy(app.keys, {"other": "x"})
        answer = refused(app.client.put(path, json={**content, **added}), 414)
        assert next(iter(added)) in answer["result"]["message"]
        assert app.call("GET", path) == before

    def test_legacy_own_fields(self, app: EasyAR) -> None:
        """Of the client's own they are let through, and left alone."""
        content = signed_legacy(app.keys, {**TARGET, "mine": "kept"})
        target = succeeded(app.client.post("/targets", json={**content, "quality": 5, "nothing": None}))
        assert target["mine"] == "kept"
        assert "quality" not in target
        content = signed_legacy(app.keys, {"meta": "x"})
        after = succeeded(app.client.put(f"/target/{target['targetId']}", json={**content, "mine": None}))
        assert (after["meta"], after["mine"]) == ("x", "kept")

    def test_nulls(self, app: EasyAR) -> None:
        """A null that was added takes nothing away."""
        target = app.add(picture(20), mine="kept")
        content = signed(app.keys, {"meta": "new"})
        after = succeeded(app.client.put(f"/target/{target['targetId']}", json={**content, "mine": None}))
        assert (after["meta"], after["mine"]) == ("new", "kept")


class TestOwnFields:
    def test_null_takes_away(self, app: EasyAR) -> None:
        """Signed as "null", or with a token; fields of ours are not among them."""
        path = f"/target/{app.add(picture(20), one='1', two='2', meta='kept')['targetId']}"
        after = app.call("PUT", path, {"one": None, "never": None, "meta": None, "name": None})
        assert "one" not in after
        assert (after["two"], after["meta"], after["name"]) == ("2", "kept", "drawn")
        with_token = app.with_token("READ", "WRITE")
        assert "two" not in with_token.call("PUT", path, {"two": None})

    def test_empty_stays(self, app: EasyAR) -> None:
        path = f"/target/{app.add(picture(20), one='1')['targetId']}"
        assert app.call("PUT", path, {"one": ""})["one"] == ""

    def test_all_together(self, app: EasyAR) -> None:
        """What older requests left counts: updates must not pile up without end. Room can be made."""
        path = f"/target/{app.add(picture(20), one='1' * 1_500_000)['targetId']}"
        answer = refused(app.send("PUT", path, {"two": "2" * 600_000, "meta": "new"}), 422)
        assert "fields of your own" in answer["result"]["message"]
        assert app.call("GET", path)["meta"] == ""
        assert app.call("PUT", path, {"meta": "new"})["meta"] == "new"
        after = app.call("PUT", path, {"two": "2" * 600_000, "one": None})
        assert (len(after["two"]), "one" in after) == (600_000, False)

    def test_what_older_versions_let_in(self) -> None:
        """A target with more than that can be changed otherwise, and made smaller."""
        known = {"easyar": {"others": {"a": "x" * 20, "b": "y"}}}
        assert Wanted(name="n", max_others_bytes=10).facts(known)["easyar"]["others"] == known["easyar"]["others"]
        assert Wanted(without=frozenset("a"), max_others_bytes=10).facts(known)["easyar"]["others"] == {"b": "y"}
        with pytest.raises(BodyTooLarge):
            Wanted(others={"c": "z"}, max_others_bytes=10).facts(known)

    def test_names_of_answers(self, app: EasyAR) -> None:
        """A target that is sent back as it was told keeps its own fields, and gets none of ours twice."""
        told = app.add(picture(20), mine="kept")
        sent = {**told, "trackingImage": "x", "grade": "9", "target": "x", "trackableRate": "8", "date": "x"}
        del sent["appKey"]
        path = f"/target/{told['targetId']}"
        sent = {name: value for name, value in sent.items() if isinstance(value, str) and name != "date"}
        after = app.call("PUT", path, sent)
        assert after["mine"] == "kept"
        listed = app.call("GET", "/targets/infos")["targets"][0]
        assert not {"trackingImage", "grade", "target", "trackableRate"} & set(listed)
        assert (after["grade"], after["trackableRate"]) == (told["grade"], told["trackableRate"])


class TestPages:
    def test_texts_of_a_page(self, app: EasyAR) -> None:
        """More than `max_page_bytes` of them are not told at once; nothing is left out in silence."""
        for seed in range(20, 25):
            app.add(picture(seed), meta=str(seed) * 950_000)
        for path, parameter in (("/targets/infos", "pageSize"), ("/targets", "limit")):
            answer = refused(app.send("GET", path), 414)
            assert parameter in answer["result"]["message"]
            assert len(app.call("GET", path, {parameter: 3})["targets"]) == 3
        assert len(app.call("GET", "/targets/infos", {"pageNum": 2, "pageSize": 3})["targets"]) == 2


class TestBase64:
    """As clients write it: other than that it is told as what it is."""

    @pytest.mark.parametrize(
        "write",
        [
            lambda text: "\n".join(textwrap.wrap(text, 76)),
            lambda text: "\r\n".join(textwrap.wrap(text, 64)) + "\r\n",
            lambda text: f" {text}\t",
            lambda text: f"data:image/jpeg;base64,{text}",
            lambda text: "data:;base64,\n" + "\n".join(textwrap.wrap(text, 76)),
        ],
    )
    def test_accepted(self, gallery: EasyAR, write: Any) -> None:
        answer = gallery.call("POST", "/search", {"image": write(b64(photo_of(1)))})
        assert answer["target"]["name"] == "one"

    @pytest.mark.parametrize(
        "write",
        [
            lambda image: base64.urlsafe_b64encode(image).decode(),
            lambda image: base64.b64encode(image + b"\0" * (2 - len(image) % 3)).decode().rstrip("="),
            lambda image: "data:image/jpeg," + image.hex(),
            lambda image: b64(image) + "=",
            lambda image: f"photo of {len(image)} bytes.jpg",
            lambda image: "é" + b64(image),
            lambda image: image.hex() + "0",
        ],
    )
    def test_told(self, gallery: EasyAR, write: Any) -> None:
        """Not as an image that cannot be read: nobody would look for the fault there."""
        answer = refused(gallery.send("POST", "/search", {"image": write(photo_of(1))}), 427)
        assert "not base64" in answer["result"]["message"]

    def test_bytes(self) -> None:
        assert from_base64("data:image/png;charset=x;base64, aG k=\n") == b"hi"


class TestTunnels:
    def test_a_rotation_ends_them(self, easyar_server: Server, app: EasyAR) -> None:
        """At once, as it ends tokens."""
        tunnel = app.call("POST", "/tunnels")["tunnel"]
        message = b"\x81\xa5image\xc6" + struct.pack(">I", len(photo_of(30))) + photo_of(30)
        assert ask_tunnel(app, tunnel, message)["statusCode"] == 17
        with contextlib.closing(Catalogue(easyar_server.folder)) as catalogue:
            Apps(catalogue.database, Vault(easyar_server.folder)).rotate(catalogue.channel(app.keys.channel))
        assert ask_tunnel(app, tunnel, message)["statusCode"] == 6


class TestManyAtOnce:
    def test_a_thousand(self, easyar_server: Server, app: EasyAR, gallery: EasyAR) -> None:
        """In one change: those that exist, in the order asked, in any case of letters, each once; others' stay."""
        with contextlib.closing(Catalogue(easyar_server.folder)) as catalogue:
            row = catalogue.features([next(catalogue.all_pictures()).id])[0]
            stored = StoredFeatures(keypoints=row[3], vector=row[4])
            made = [
                catalogue.add_picture(app.keys.channel, f"p.{n}", stored, level=3, size=(9, 9), keypoints=1).uuid
                for n in range(990)
            ]
            others = listed_id(gallery, "one")
            asked = [made[3].upper(), others, *made[:3], *made[3:], *["x"] * 5, made[0], made[1]]
            assert len(asked) <= 1_000
            gone = app.call("DELETE", "/targets", {"targetId": ",".join(asked)})["targetId"].split(",")
            assert gone == [made[3], *made[:3], *made[4:]]
            assert app.call("GET", "/targets/count") == {"count": 0}
            assert gallery.call("GET", f"/target/{others}")["targetId"] == others
            assert 'obverse_lane_places{lane="bulk"}' in easyar_server.client.get("/metrics").text


def test_a_signature_of_nulls() -> None:
    """A null is signed as the text that most languages make of it."""
    assert signature({"a": None, "b": True}, "s") == signature({"a": "null", "b": "true"}, "s")
