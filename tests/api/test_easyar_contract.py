"""Every operation of the EasyAR dialect and every status code that the contract lists for it."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import json
import sqlite3
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from api.dialects.easyar.codes import CODES, FAILED, FAILURES, MEANINGS, row_of
from api.dialects.easyar.contract import OPERATIONS
from api.dialects.easyar.errors import RecordMissing
from api.dialects.easyar.targets import RATES
from engine.errors import ObverseError
from tests.support.drawn import encoded, poster
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.easyar_client import EasyAR, b64, make_app, refused, signed, succeeded
from tests.support.running_server import Caller, Server, make_user

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 2 * 1024 * 1024
UNKNOWN = str(uuid.UUID(int=0))
TARGET: dict[str, Any] = {"image": b64(picture(20)), "name": "new", "size": "20", "type": "ImageTarget"}
LISTED = {"targetId", "name", "size", "meta", "type", "appKey", "active", "modified"}
FULL = LISTED | {"allowSimilar", "date", "grade", "trackingImage", *RATES}
NO_IMAGES = [b"text", b"GIF89a" + b"\0" * 50, picture(20)[:600], b"\x89PNG\r\n\x1a\n"]
WITH_IMAGE = [
    ("POST", "/targets", {key: value for key, value in TARGET.items() if key != "image"}),
    ("POST", "/similar", {}),
    ("POST", "/grade/detection", {}),
    ("POST", "/grade/tracking", {}),
    ("POST", "/grade/detail", {}),
    ("POST", "/search", {}),
]


def listed_id(app: EasyAR, name: str) -> str:
    found = app.call("GET", "/targets/infos", {"pageSize": 100})["targets"]
    return next(target["targetId"] for target in found if target["name"] == name)


def names(results: list[dict[str, Any]]) -> list[str]:
    return [target["name"] for target in results]


class TestPing:
    @pytest.mark.parametrize("path", ["/ping", "/ping/", "/easyar/ping"])
    def test_needs_no_keys(self, easyar_server: Server, path: str) -> None:
        assert succeeded(easyar_server.client.get(path)) == {"message": "pong"}


class TestCreate:
    def test_ok(self, app: EasyAR) -> None:
        """A flat target, found by the next search."""
        target = app.call("POST", "/targets", {**TARGET, "meta": "über", "colour": "red"})
        assert set(target) == FULL | {"colour"}
        assert (target["name"], target["size"], target["meta"], target["colour"]) == ("new", "20", "über", "red")
        assert (target["active"], target["allowSimilar"], target["type"]) == ("1", "0", "ImageTarget")
        assert target["appKey"] == app.keys.appId
        assert uuid.UUID(target["targetId"]).version == 4
        assert 0 <= int(target["grade"]) <= 4
        assert all(0 <= target[name] <= 4 for name in RATES)
        grey = cv2.imdecode(np.frombuffer(base64.b64decode(target["trackingImage"]), np.uint8), cv2.IMREAD_UNCHANGED)
        assert grey.ndim == 2
        found = app.call("POST", "/search", {"image": b64(photo_of(20))})
        assert found["target"]["targetId"] == target["targetId"]

    def test_defaults(self, app: EasyAR) -> None:
        content = {name: value for name, value in TARGET.items() if name != "size"}
        target = app.call("POST", "/targets", content)
        assert (target["size"], target["meta"], target["active"], target["allowSimilar"]) == ("20", "", "1", "0")

    def test_own_fields_replace_none_of_ours(self, app: EasyAR) -> None:
        target = app.call("POST", "/targets", {**TARGET, "targetId": "mine", "appKey": app.keys.appId, "modified": "0"})
        assert target["targetId"] != "mine"
        assert target["modified"] > 0

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("image", None),
            ("image", ""),
            ("name", None),
            ("name", ""),
            ("name", "x" * 65),
            ("name", "ä"),
            ("size", "big"),
            ("size", "0"),
            ("size", "-1"),
            ("type", None),
            ("type", "imagetarget"),
            ("active", "yes"),
            ("allowSimilar", "2"),
            ("meta", ["a"]),
            ("image", {"a": "b"}),
        ],
    )
    def test_414(self, app: EasyAR, name: str, value: Any) -> None:
        """The message names the parameter; nothing is added."""
        content = {**TARGET, name: value}
        content = {key: value for key, value in content.items() if value is not None}
        body = signed(app.keys, {k: v for k, v in content.items() if isinstance(v, str)})
        if not isinstance(value, str | None):
            body = signed(app.keys, {**content, name: json.dumps(value, separators=(",", ":"))}) | {name: value}
        answer = refused(app.client.post("/targets", json=body), 414)
        assert name in answer["result"]["message"]
        assert app.call("GET", "/targets/count") == {"count": 0}

    def test_name_of_64_characters(self, app: EasyAR) -> None:
        name = "Aa0 !~" + "x" * 58
        assert app.call("POST", "/targets", {**TARGET, "name": name})["name"] == name

    def test_403(self, app: EasyAR) -> None:
        """A photo of a target is similar to it; allowSimilar lets it in."""
        app.add(picture(20))
        refused(app.send("POST", "/targets", TARGET), 403)
        refused(app.send("POST", "/targets", {**TARGET, "image": b64(photo_of(20))}), 403)
        app.call("POST", "/targets", {**TARGET, "allowSimilar": "1"})
        assert app.call("GET", "/targets/count") == {"count": 2}

    def test_403_of_two_at_once(self, app: EasyAR) -> None:
        """Of the same picture sent many times at once one is added."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: app.send("POST", "/targets", TARGET).json()["statusCode"], range(4)))
        assert sorted(answers) == [0, 403, 403, 403]

    def test_417(self, app: EasyAR, easyar_server: Server, owner: Caller) -> None:
        """Too few features, or a channel that is full."""
        refused(app.send("POST", "/targets", {**TARGET, "image": b64(flat())}), 417)
        full = EasyAR(client=app.client, keys=make_app(easyar_server.folder, "full", owner, quota=1))
        full.add(picture(20))
        refused(full.send("POST", "/targets", {**TARGET, "image": b64(picture(21))}), 417)

    def test_422_image(self, app: EasyAR) -> None:
        """2 MiB of the file itself are taken, one byte more is not."""
        padded = picture(20) + bytes(LIMIT - len(picture(20)))
        refused(app.send("POST", "/targets", {**TARGET, "image": b64(padded + b"\0")}), 422)
        app.call("POST", "/targets", {**TARGET, "image": b64(padded)})

    def test_422_meta(self, app: EasyAR) -> None:
        refused(app.send("POST", "/targets", {**TARGET, "meta": "m" * 2_000_001}), 422)
        refused(app.send("POST", "/targets", {**TARGET, "mine": "m" * 2_000_001}), 422)
        assert len(app.call("POST", "/targets", {**TARGET, "meta": "m" * 2_000_000})["meta"]) == 2_000_000

    def test_422_body(self, app: EasyAR) -> None:
        """A body beyond all limits is refused before anything else."""
        refused(app.client.post("/targets", json={"image": "A" * 50_000_000}), 422)


class TestImages:
    """Rules of every operation that takes an image as JSON."""

    @pytest.mark.parametrize(("verb", "path", "fields"), WITH_IMAGE)
    def test_414(self, gallery: EasyAR, verb: str, path: str, fields: dict[str, str]) -> None:
        refused(gallery.send(verb, path, fields), 414)

    @pytest.mark.parametrize(("verb", "path", "fields"), WITH_IMAGE)
    @pytest.mark.parametrize("image", NO_IMAGES)
    def test_427(self, gallery: EasyAR, verb: str, path: str, fields: dict[str, str], image: bytes) -> None:
        refused(gallery.send(verb, path, {**fields, "image": b64(image)}), 427)

    @pytest.mark.parametrize(("verb", "path", "fields"), WITH_IMAGE)
    def test_427_not_base64(self, gallery: EasyAR, verb: str, path: str, fields: dict[str, str]) -> None:
        refused(gallery.send(verb, path, {**fields, "image": "no base64!"}), 427)

    @pytest.mark.parametrize(("verb", "path", "fields"), WITH_IMAGE)
    def test_422(self, gallery: EasyAR, verb: str, path: str, fields: dict[str, str]) -> None:
        refused(gallery.send(verb, path, {**fields, "image": b64(bytes(LIMIT + 1))}), 422)

    def test_png(self, gallery: EasyAR) -> None:
        image = encoded(poster(2), ".png")
        assert gallery.call("POST", "/search", {"image": b64(image)})["target"]["name"] == "two"


class TestLists:
    def test_newest_first(self, app: EasyAR) -> None:
        ids = [app.add(picture(seed), name=f"n{seed}")["targetId"] for seed in (20, 21, 22)]
        app.call("PUT", f"/target/{ids[0]}", {"meta": "newer"})
        page = app.call("GET", "/targets/infos", {"pageNum": 1, "pageSize": 2})
        assert {key: page[key] for key in ("pageNum", "pageSize", "total")} == {
            "pageNum": 1,
            "pageSize": 2,
            "total": 3,
        }
        assert all(set(target) == LISTED for target in page["targets"])
        assert names(page["targets"]) == ["n20", "n22"]
        assert names(app.call("GET", "/targets/infos", {"pageNum": 2, "pageSize": 2})["targets"]) == ["n21"]
        assert app.call("GET", "/targets/infos", {"pageNum": 9})["targets"] == []
        older = app.call("GET", "/targets/", {"limit": 2, "last": ""})["targets"]
        assert names(older) == ["n20", "n22"]
        assert names(app.call("GET", "/targets", {"last": older[-1]["targetId"]})["targets"]) == ["n21"]
        assert app.call("GET", "/targets/count") == {"count": 3}

    def test_defaults(self, gallery: EasyAR) -> None:
        page = gallery.call("GET", "/targets/infos")
        assert (page["pageNum"], page["pageSize"], page["total"]) == (1, 5, 3)

    @pytest.mark.parametrize(
        "fields", [{"pageNum": 0}, {"pageNum": "x"}, {"pageSize": 0}, {"pageSize": 101}, {"pageSize": -1}]
    )
    def test_414(self, gallery: EasyAR, fields: dict[str, Any]) -> None:
        refused(gallery.send("GET", "/targets/infos", fields), 414)

    def test_414_limit(self, gallery: EasyAR) -> None:
        refused(gallery.send("GET", "/targets/", {"limit": 101}), 414)

    def test_404_last(self, gallery: EasyAR) -> None:
        refused(gallery.send("GET", "/targets", {"last": UNKNOWN}), 404)


class TestShow:
    def test_ok(self, gallery: EasyAR) -> None:
        target = gallery.call("GET", f"/target/{listed_id(gallery, 'two')}")
        assert set(target) == FULL
        assert (target["name"], target["meta"]) == ("two", "number 2")

    def test_404(self, gallery: EasyAR, app: EasyAR) -> None:
        """Unknown, no id at all, or another app's."""
        for name in (UNKNOWN, "x", listed_id(gallery, "two")):
            refused(app.send("GET", f"/target/{name}"), 404)


class TestUpdate:
    def test_patch(self, app: EasyAR) -> None:
        """Absent fields stay."""
        before = app.add(picture(20), name="old", meta="old", mine="kept")
        after = app.call("PUT", f"/target/{before['targetId']}", {"meta": "new", "size": "7.5", "yours": "too"})
        changed = {"meta": "new", "size": "7.5", "yours": "too", "date": after["date"], "modified": after["modified"]}
        assert after == {**before, **changed}
        assert app.call("GET", f"/target/{before['targetId']}") == after
        assert app.call("PUT", f"/target/{before['targetId']}", {"meta": ""})["meta"] == ""

    def test_image(self, app: EasyAR) -> None:
        """Another image under the same id: it is found by that alone."""
        target = app.add(picture(20), name="same", mine="kept")["targetId"]
        after = app.call("PUT", f"/target/{target}", {"image": b64(picture(21)), "meta": "new"})
        assert (after["targetId"], after["name"], after["meta"], after["mine"]) == (target, "same", "new", "kept")
        refused(app.send("POST", "/search", {"image": b64(photo_of(20))}), 17, 404)
        assert app.call("POST", "/search", {"image": b64(photo_of(21))})["target"]["targetId"] == target
        assert app.call("GET", "/targets/count") == {"count": 1}

    def test_own_image_again(self, app: EasyAR) -> None:
        """Similar to its own old image is no conflict."""
        target = app.add(picture(20))["targetId"]
        app.call("PUT", f"/target/{target}", {"image": b64(photo_of(20))})

    def test_419(self, app: EasyAR) -> None:
        """Similar to another target; allowSimilar, given now or before, lets it be."""
        app.add(picture(20))
        target = app.add(picture(21))["targetId"]
        image = {"image": b64(photo_of(20))}
        refused(app.send("PUT", f"/target/{target}", image), 419)
        assert app.call("POST", "/search", {"image": b64(photo_of(21))})["target"]["targetId"] == target
        app.call("PUT", f"/target/{target}", {"allowSimilar": "1"})
        app.call("PUT", f"/target/{target}", image)

    def test_active(self, app: EasyAR) -> None:
        """ "0": never found, but listed and counted; "1": found again."""
        target = app.add(picture(20))["targetId"]
        photo = {"image": b64(photo_of(20))}
        app.call("PUT", f"/target/{target}", {"active": "0"})
        refused(app.send("POST", "/search", photo), 17, 404)
        assert app.call("POST", "/similar", photo)["results"] == []
        assert [found["active"] for found in app.call("GET", "/targets/infos")["targets"]] == ["0"]
        app.call("PUT", f"/target/{target}", {"active": "1"})
        assert app.call("POST", "/search", photo)["target"]["active"] == "1"

    def test_added_inactive(self, app: EasyAR) -> None:
        assert app.add(picture(20), active="0")["active"] == "0"
        refused(app.send("POST", "/search", {"image": b64(photo_of(20))}), 17, 404)

    @pytest.mark.parametrize("fields", [{"name": ""}, {"size": "x"}, {"type": "x"}, {"active": "2"}])
    def test_414(self, gallery: EasyAR, fields: dict[str, str]) -> None:
        refused(gallery.send("PUT", f"/target/{listed_id(gallery, 'one')}", fields), 414)

    def test_images(self, gallery: EasyAR) -> None:
        """The image is judged as in a new target: 417, 422, 427."""
        path = f"/target/{listed_id(gallery, 'one')}"
        refused(gallery.send("PUT", path, {"image": b64(flat())}), 417)
        refused(gallery.send("PUT", path, {"image": b64(bytes(LIMIT + 1))}), 422)
        refused(gallery.send("PUT", path, {"image": b64(b"text")}), 427)

    def test_404(self, gallery: EasyAR) -> None:
        refused(gallery.send("PUT", f"/target/{UNKNOWN}", {"meta": "x"}), 404)
        refused(gallery.send("PUT", f"/target/{UNKNOWN}", {"image": b64(picture(20))}), 404)


class TestDelete:
    def test_ok(self, app: EasyAR) -> None:
        """Flat and as `target`; the picture is never found again."""
        target = app.add(picture(20))["targetId"]
        answer = app.call("DELETE", f"/target/{target}")
        assert set(answer) == LISTED | {"target"}
        assert answer["target"] == {name: answer[name] for name in LISTED}
        assert answer["targetId"] == target
        refused(app.send("POST", "/search", {"image": b64(photo_of(20))}), 17, 404)
        refused(app.send("DELETE", f"/target/{target}"), 404)

    def test_several(self, app: EasyAR) -> None:
        """Those that exist are deleted; where none does, it is 404."""
        ids = [app.add(picture(seed))["targetId"] for seed in (20, 21)]
        assert app.call("DELETE", "/targets", {"targetId": f"{ids[0]}, {UNKNOWN},{ids[1]}"}) == {
            "targetId": ",".join(ids)
        }
        refused(app.send("DELETE", "/targets", {"targetId": ",".join(ids)}), 404)
        assert app.call("GET", "/targets/count") == {"count": 0}

    @pytest.mark.parametrize("listed", ["", ",", ",".join(["x"] * 1001)])
    def test_414(self, app: EasyAR, listed: str) -> None:
        refused(app.send("DELETE", "/targets", {"targetId": listed}), 414)

    def test_another_apps(self, app: EasyAR, gallery: EasyAR) -> None:
        name = listed_id(gallery, "one")
        refused(app.send("DELETE", f"/target/{name}"), 404)
        refused(app.send("DELETE", "/targets", {"targetId": name}), 404)


class TestSimilar:
    @pytest.mark.parametrize(
        "path", ["/similar", "/similar/", "/Similar/", "/SIMILAR", "/easyar/similar", "/easyar/Similar/"]
    )
    def test_a_photo(self, gallery: EasyAR, path: str) -> None:
        """In every spelling, without a redirect: the target that the photo shows, whole."""
        answer = gallery.call("POST", path, {"image": b64(photo_of(2))})
        assert set(answer) == {"date", "results"}
        assert names(answer["results"]) == ["two"]
        assert set(answer["results"][0]) == FULL

    @pytest.mark.parametrize("image", [photo_of(30), picture(31), flat()])
    def test_another_picture(self, gallery: EasyAR, image: bytes) -> None:
        assert gallery.call("POST", "/similar", {"image": b64(image)})["results"] == []

    def test_near_duplicates(self, app: EasyAR) -> None:
        """Two alike do not hide each other."""
        ids = [app.add(image, allowSimilar="1")["targetId"] for image in (picture(20), photo_of(20))]
        found = app.call("POST", "/similar", {"image": b64(photo_of(20))})["results"]
        assert {target["targetId"] for target in found} == set(ids)

    def test_is_measured(self, gallery: EasyAR, easyar_server: Server) -> None:
        gallery.call("POST", "/similar", {"image": b64(photo_of(1))})
        assert 'obverse_requests_total{code="0",method="similar"}' in easyar_server.client.get("/metrics").text


class TestGrade:
    @pytest.mark.parametrize("path", ["/grade/detection", "/grade/tracking/", "/easyar/grade/detection/"])
    def test_grade(self, gallery: EasyAR, path: str) -> None:
        target = gallery.call("GET", f"/target/{listed_id(gallery, 'one')}")
        assert gallery.call("POST", path, {"image": b64(picture(1))}) == {"grade": int(target["grade"])}

    @pytest.mark.parametrize("path", ["/grade/detection", "/grade/tracking"])
    def test_unusable(self, gallery: EasyAR, path: str) -> None:
        assert gallery.call("POST", path, {"image": b64(flat())}) == {"grade": -1}

    def test_detail(self, gallery: EasyAR) -> None:
        """The grades that the target has."""
        answer = gallery.call("POST", "/grade/detail", {"image": b64(picture(1))})
        target = gallery.call("GET", f"/target/{listed_id(gallery, 'one')}")
        assert answer == {"grade": int(target["grade"]), **{name: target[name] for name in RATES}}
        unusable = gallery.call("POST", "/grade/detail", {"image": b64(flat())})
        assert unusable == {"grade": -1, **dict.fromkeys(RATES, 4)}


class TestSearch:
    @pytest.mark.parametrize("path", ["/search", "/search/", "/easyar/search"])
    def test_ok(self, gallery: EasyAR, path: str) -> None:
        response = gallery.send("POST", path, {"image": b64(photo_of(3))})
        assert response.json()["date"].endswith("Z")
        answer = succeeded(response)
        assert set(answer) == {"target", "targetId"}
        assert set(answer["target"]) == FULL
        assert (answer["target"]["name"], answer["targetId"]) == ("three", answer["target"]["targetId"])

    @pytest.mark.parametrize("value", [True, "true", "1"])
    def test_notracking(self, gallery: EasyAR, value: Any) -> None:
        answer = gallery.call("POST", "/search", {"image": b64(photo_of(3)), "notracking": value})
        assert set(answer["target"]) == FULL - {"trackingImage"}

    @pytest.mark.parametrize("image", [photo_of(30), flat()])
    def test_17(self, gallery: EasyAR, image: bytes) -> None:
        answer = refused(gallery.send("POST", "/search", {"image": b64(image)}), 17, 404)
        assert answer["result"] == {"message": "No result: there is no matching."}

    def test_17_with_http_200(self, strict: Server) -> None:
        """By setting."""
        user = make_user(strict.folder, "misser")
        app = EasyAR(client=strict.client, keys=make_app(strict.folder, "misses", user))
        refused(app.send("POST", "/search", {"image": b64(photo_of(30))}), 17, 200)


class TestSearchFile:
    @staticmethod
    def send(app: EasyAR, image: bytes | None, path: str = "/v2/search", **fields: str) -> httpx.Response:
        """The image comes first and is not signed."""
        parts: list[tuple[str, Any]] = [] if image is None else [("image", ("p.jpg", image, "image/jpeg"))]
        content = signed(app.keys, fields)
        return app.client.post(path, files=[*parts, *((name, (None, str(v))) for name, v in content.items())])

    @pytest.mark.parametrize("path", ["/v2/search", "/v2/search/", "/easyar/v2/search"])
    def test_ok(self, gallery: EasyAR, path: str) -> None:
        answer = succeeded(self.send(gallery, photo_of(1), path, notracking="true", other="signed"))
        assert set(answer) == {"target", "targetId"}
        assert answer["target"]["name"] == "one"
        assert "trackingImage" not in answer["target"]

    def test_refusals(self, gallery: EasyAR) -> None:
        refused(self.send(gallery, None), 414)
        refused(self.send(gallery, b"text"), 427)
        refused(self.send(gallery, bytes(LIMIT + 1)), 422)
        refused(self.send(gallery, photo_of(30)), 17, 404)
        refused(gallery.client.post("/v2/search", json={}), 414, 415)
        broken = {"Content-Type": "multipart/form-data; boundary=x"}
        refused(gallery.client.post("/v2/search", content=b"--x", headers=broken), 414, 400)


class TestForms:
    """What a request must look like before anyone asks who sent it."""

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"a":NaN}', b'{"a":"\\ud800"}', b"\xff", b"[" * 100_000])
    def test_400(self, easyar_server: Server, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        refused(easyar_server.client.post("/similar", content=body, headers=headers), 414, 400)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    def test_415(self, easyar_server: Server, kind: str) -> None:
        refused(easyar_server.client.post("/similar", content=b"{}", headers={"Content-Type": kind}), 414, 415)

    def test_404_and_405(self, easyar_server: Server) -> None:
        assert easyar_server.client.get("/easyar/unknown").status_code == 404
        assert easyar_server.client.patch("/targets").status_code == 405


class TestFailures:
    """Codes of the server's own failures."""

    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
    def test_wrong_key_file(self, easyar_server: Server, owner: Caller, operation: Any, tmp_path: Path) -> None:
        """Secrets that another key sealed cannot be read: the operation's own code, and no word of why."""
        folder = easyar_server.folder
        keys = make_app(folder, f"broken-{operation.name}", owner)
        (tmp_path / "x").mkdir()
        from api.accounts.vault import Vault

        with contextlib.closing(sqlite3.connect(folder / "catalogue.db")) as database, database:
            sealed = Vault(tmp_path / "x").seal("secret")
            database.execute("UPDATE app SET sealed_secret = ? WHERE app_id = ?", (sealed, keys.appId))
        fields = signed(keys, {})
        path = operation.paths[0].replace("{target_id:str}", UNKNOWN)
        client = easyar_server.client
        if operation.source == "query":
            response = client.request(operation.verb, path, params=fields)
        elif operation.source == "json":
            response = client.request(operation.verb, path, json=fields)
        else:
            response = client.post(path, files=[(name, (None, str(value))) for name, value in fields.items()])
        answer = refused(response, operation.failed, FAILURES[operation.failed])
        assert "secrets.key" not in answer["result"]["message"]
        assert response.headers["x-request-id"] in answer["result"]["message"]

    def test_nothing_can_be_written(self, strict: Server) -> None:
        """While another process holds the database: 417, 420, 424."""
        user = make_user(strict.folder, "waiter")
        app = EasyAR(client=strict.client, keys=make_app(strict.folder, "waits", user))
        target = app.add(picture(20))["targetId"]
        with contextlib.closing(sqlite3.connect(strict.folder / "catalogue.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            refused(app.send("PUT", f"/target/{target}", {"active": "0"}), 424)
            refused(app.send("DELETE", f"/target/{target}"), 420)
            refused(app.send("DELETE", "/targets", {"targetId": target}), 420)
            refused(app.send("POST", "/targets", {**TARGET, "image": b64(picture(21))}), 417)
            database.execute("ROLLBACK")

    def test_19_and_21(self, strict: Server) -> None:
        """Of too many searches at once some find no place (21), and some wait too long (19, HTTP 408)."""
        user = make_user(strict.folder, "crowd")
        app = EasyAR(client=strict.client, keys=make_app(strict.folder, "crowded", user))
        app.add(picture(20))
        # A large PNG takes long enough to decode that the last of the queue is past its second on a fast machine, too.
        large = cv2.resize(poster(30), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            photo = {"image": b64(encoded(large, ".png"))}
            answers = list(pool.map(lambda _: app.send("POST", "/search", photo), range(16)))
        seen = Counter((answer.status_code, answer.json()["statusCode"]) for answer in answers)
        assert set(seen) == {(200, 17), (408, 19), (200, 21)}, seen
        assert all("retry-after" in answer.headers for answer in answers if answer.json()["statusCode"] in (19, 21))

    def test_21_rate(self, strict: Server) -> None:
        """More requests in a minute than the setting allows."""
        user = make_user(strict.folder, "hasty")
        app = EasyAR(client=strict.client, keys=make_app(strict.folder, "hasty", user))
        answers = [app.send("GET", "/targets/count") for _ in range(60)]
        late = next(answer for answer in answers if answer.json()["statusCode"])
        refused(late, 21)
        assert int(late.headers["retry-after"]) >= 1


class TestCodes:
    """The table of errors and codes."""

    def test_every_error_has_a_published_code(self) -> None:
        waiting, seen = [ObverseError], set()
        while waiting:
            kind = waiting.pop()
            waiting += kind.__subclasses__()
            seen.add(kind)
        for kind in seen:
            row = next(CODES[parent] for parent in kind.__mro__ if parent in CODES)
            assert row.code == FAILED or row.code in MEANINGS
        assert set(FAILURES) <= set(MEANINGS)

    def test_never_sent(self) -> None:
        """7 and 8 are the vendor's own; 426 cannot arise."""
        assert not {5, 7, 8, 9, 426} & set(MEANINGS)
        assert all(set(operation.answers) <= set(MEANINGS) for operation in OPERATIONS)

    def test_18(self) -> None:
        """A target that is removed between being recognised and being told."""
        assert row_of(RecordMissing(), failed=20, overdue=19) == (18, 500)

    def test_documented(self) -> None:
        text = (ROOT / "docs" / "easyar.md").read_text("utf-8")
        for code in MEANINGS:
            assert f"`{code}`" in text, code
        for name in RATES:
            assert f"`{name}`" in text, name
        for operation in OPERATIONS:
            path = "/similar" if operation.name == "similar" else operation.paths[0]
            assert f"{operation.verb} {path.replace('{target_id:str}', 'ID')}" in text
