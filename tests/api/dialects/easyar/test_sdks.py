"""The recorded requests of the official SDKs, written anew from their description: spelling, order and types."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from typing import Any

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from tests.support.drawn_pictures import photo_of, picture
from tests.support.easyar_client import EasyAR, b64, now, query, refused, signature, signed, signed_legacy, succeeded
from tests.support.running_server import Server

NODE = {"User-Agent": "node-superagent/1.8.5", "Accept-Encoding": "gzip, deflate", "Connection": "close"}
JAVA = {"User-Agent": "okhttp/3.13.1", "Accept-Encoding": "gzip", "Content-Type": "application/json; charset=utf-8"}
PHP = {"Accept": "*/*", "Content-Type": "application/json; charset=utf-8"}


def escaped(content: dict[str, Any]) -> bytes:
    r"""JSON as PHP and Java write it: "/" as "\/"."""
    return json.dumps(content).replace("/", "\\/").encode()


class TestNode:
    """Trailing slashes, numbers as timestamps, paging twice in the query."""

    def send(self, app: EasyAR, verb: str, path: str, fields: dict[str, Any]) -> httpx.Response:
        content = signed(app.keys, fields)
        if verb in ("GET", "DELETE"):
            repeated = [(name, value) for name, value in fields.items() if name.startswith("page")]
            return app.client.request(verb, f"{path}?{query([*content.items(), *repeated])}", headers=NODE)
        headers = {**NODE, "Content-Type": "application/json"}
        return app.client.request(verb, path, content=json.dumps(content).encode(), headers=headers)

    def test_whole_life(self, app: EasyAR) -> None:
        """getCount, addTarget, getTargets, getTarget, similar, grade, search, updateTarget, deleteTarget."""
        assert succeeded(self.send(app, "GET", "/targets/count", {})) == {"count": 0}
        fields = {
            "image": b64(picture(20)),
            "name": "sdk-test",
            "size": "20",
            "meta": "http://my.com/my-3d-model-example",
            "type": "ImageTarget",
        }
        target = succeeded(self.send(app, "POST", "/targets/", fields))["targetId"]
        page = succeeded(self.send(app, "GET", "/targets/infos", {"pageNum": 1, "pageSize": 10}))
        assert [found["targetId"] for found in page["targets"]] == [target]
        assert succeeded(self.send(app, "GET", f"/target/{target}", {}))["meta"] == fields["meta"]
        image = {"image": b64(photo_of(20))}
        assert succeeded(self.send(app, "POST", "/similar/", image))["results"][0]["targetId"] == target
        assert -1 <= succeeded(self.send(app, "POST", "/grade/tracking/", image))["grade"] <= 4
        assert succeeded(self.send(app, "POST", "/search", image))["target"]["name"] == "sdk-test"
        changes = {**fields, "name": "sdk-test-update", "meta": "update meta data"}
        assert succeeded(self.send(app, "PUT", f"/target/{target}", changes))["targetId"] == target
        assert succeeded(self.send(app, "DELETE", f"/target/{target}", {}))["targetId"] == target
        refused(self.send(app, "POST", "/search", image), 17, 404)

    def test_search_with_file(self, gallery: EasyAR) -> None:
        """The image is the first part, with its file name and type."""
        fields = signed(gallery.keys, {"notracking": "true"})
        parts: list[tuple[str, Any]] = [("image", ("query.jpg", photo_of(2), "image/jpeg"))]
        parts += [(name, (None, str(value))) for name, value in fields.items()]
        response = gallery.client.post("/v2/search", files=parts, headers=NODE)
        assert succeeded(response)["target"]["name"] == "two"


class TestTunnel:
    """searchTarget: a tunnel, then one binary MessagePack map and one text frame with the envelope."""

    @staticmethod
    def url(app: EasyAR, tunnel: str | None = None, prefix: str = "") -> str:
        name = tunnel or app.call("POST", "/tunnels/")["tunnel"]
        return f"ws://{app.client.base_url.netloc.decode()}{prefix}/services/recognize/{name}"

    @staticmethod
    def frame(photo: bytes) -> bytes:
        return b"\x81\xa5image\xc6" + struct.pack(">I", len(photo)) + photo

    @pytest.mark.parametrize("prefix", ["", "/easyar"])
    def test_ok(self, gallery: EasyAR, prefix: str) -> None:
        with connect(self.url(gallery, prefix=prefix)) as socket:
            socket.send(self.frame(photo_of(3)))
            answer = json.loads(socket.recv(timeout=30, decode=True))
            assert (answer["statusCode"], answer["result"]["target"]["name"]) == (0, "three")
            socket.send(msgspec.msgpack.encode({"image": photo_of(30), "more": 1}))
            answer = json.loads(socket.recv(timeout=30))
            assert (answer["statusCode"], set(answer["result"])) == (17, {"message"})

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            (b"", 414),
            (b"\xc1", 414),
            (b"\x81\xa5image\xa1x", 414),
            (b"\x80", 414),
            (b"\x81\xa5image\xc4\x04text", 427),
            (b"\x81\xa5image\xc6" + struct.pack(">I", 2_097_153) + bytes(2_097_153), 422),
        ],
    )
    def test_refusals(self, gallery: EasyAR, message: bytes, code: int) -> None:
        with connect(self.url(gallery)) as socket:
            socket.send(message)
            assert json.loads(socket.recv(timeout=30))["statusCode"] == code

    def test_no_such_tunnel(self, gallery: EasyAR) -> None:
        """A token is no tunnel either."""
        for name in ("nonsense", gallery.with_token("READ").token or ""):
            with connect(self.url(gallery, name.replace("/", "_").replace("+", "-"))) as socket:
                socket.send(self.frame(photo_of(1)))
                assert json.loads(socket.recv(timeout=30))["statusCode"] == 6

    def test_close(self, gallery: EasyAR, easyar_server: Server) -> None:
        """A client that closes at once, or does not wait for its answer, leaves no error behind; nor does the
        tunnel's name, which is a key, stand in the log."""
        before = len(easyar_server.log_text())
        tunnel = gallery.call("POST", "/tunnels/")["tunnel"]
        for message in (b"", self.frame(photo_of(30))):
            with connect(self.url(gallery, tunnel)) as socket:
                if message:
                    socket.send(message)
                socket.close()
                with pytest.raises(ConnectionClosedOK):
                    socket.recv()
        assert gallery.call("GET", "/targets/count") == {"count": 3}
        logged = easyar_server.log_text()[before:]
        assert tunnel not in logged
        assert "Traceback" not in logged

    @pytest.mark.usefixtures("gallery")
    def test_a_tunnel_is_of_one_app(self, app: EasyAR) -> None:
        """And searches its targets alone."""
        with connect(self.url(app)) as socket:
            socket.send(self.frame(photo_of(1)))
            assert json.loads(socket.recv(timeout=30))["statusCode"] == 17


class TestJava:
    """No trailing slashes, strings as timestamps, escaped slashes, DELETE with a body."""

    def send(self, app: EasyAR, verb: str, path: str, fields: dict[str, Any]) -> httpx.Response:
        content = signed(app.keys, fields, timestamp=str(now()))
        if verb == "GET":
            return app.client.get(path, params=content, headers=JAVA)
        return app.client.request(verb, path, content=escaped(content), headers=JAVA)

    def test_whole_life(self, app: EasyAR) -> None:
        """add, count, grade, removeMultiTargets, and a DELETE that says its body is empty."""
        fields = {"name": "java-sdk", "size": "5", "meta": "a/b", "type": "ImageTarget", "allowSimilar": "0"}
        ids = [
            succeeded(self.send(app, "POST", "/targets", {**fields, "image": b64(picture(seed))}))["targetId"]
            for seed in (20, 21, 22)
        ]
        assert succeeded(self.send(app, "GET", "/targets/count", {})) == {"count": 3}
        assert "grade" in succeeded(self.send(app, "POST", "/grade/detail", {"image": b64(picture(20))}))
        gone = succeeded(self.send(app, "DELETE", "/targets", {"targetId": ",".join(ids[:2])}))
        assert gone["targetId"] == ",".join(ids[:2])
        content = signed(app.keys, {}, timestamp=str(now()))
        headers = {"User-Agent": JAVA["User-Agent"], "Content-Length": "0"}
        response = app.client.delete(f"/target/{ids[2]}", params=content, headers=headers)
        assert succeeded(response)["targetId"] == ids[2]


class TestPhp:
    """Sorted query, whole seconds, escaped slashes; the older class signs with SHA-1 and `date`."""

    def test_api_key(self, app: EasyAR) -> None:
        stamp = int(time.time()) * 1000
        fields = {"image": b64(picture(20)), "name": "php", "size": "20", "meta": "a/b", "type": "ImageTarget"}
        content = signed(app.keys, fields, timestamp=stamp)
        target = succeeded(app.client.post("/targets/", content=escaped(content), headers=PHP))
        assert target["meta"] == "a/b"
        content = signed(app.keys, {"last": "", "limit": 10}, timestamp=stamp)
        listed = succeeded(app.client.get(f"/targets/?{query(sorted(content.items()))}", headers={"Accept": "*/*"}))
        assert [found["targetId"] for found in listed["targets"]] == [target["targetId"]]

    def test_legacy(self, app: EasyAR) -> None:
        fields = {"image": b64(picture(20)), "name": "php", "size": "20", "meta": "", "type": "ImageTarget"}
        target = succeeded(app.client.post("/targets/", content=escaped(signed_legacy(app.keys, fields)), headers=PHP))
        content = signed_legacy(app.keys, {"last": "", "limit": "10"})
        listed = succeeded(app.client.get(f"/targets/?{query(sorted(content.items()))}"))
        assert listed["targets"][0]["targetId"] == target["targetId"]
        content = signed_legacy(app.keys, {})
        assert succeeded(app.client.get(f"/targets/count?{query(sorted(content.items()))}")) == {"count": 1}


def test_signature_of_the_description() -> None:
    """Worked by hand: upper case sorts before lower case, no separators, the secret last."""
    fields = {"timestamp": 1, "appId": "A", "apiKey": "K", "image": "aGk=", "Z": "z"}
    by_hand = hashlib.sha256(b"ZzapiKeyKappIdAimageaGk=timestamp1secret").hexdigest()
    assert signature(fields, "secret") == by_hand
