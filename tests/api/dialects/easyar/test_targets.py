"""Creating, listing, showing, updating and deleting targets, and every status code of theirs."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import uuid
from typing import Any

import cv2
import numpy as np
import pytest

from api.dialects.easyar.targets import RATES
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.easyar_client import (
    FULL,
    LARGEST_IMAGE,
    LISTED,
    TARGET,
    UNKNOWN,
    EasyAR,
    b64,
    listed_id,
    make_app,
    names,
    refused,
    signed,
)
from tests.support.running_server import Caller, Server


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
        padded = picture(20) + bytes(LARGEST_IMAGE - len(picture(20)))
        refused(app.send("POST", "/targets", {**TARGET, "image": b64(padded + b"\0")}), 422)
        app.call("POST", "/targets", {**TARGET, "image": b64(padded)})

    def test_422_meta(self, app: EasyAR) -> None:
        refused(app.send("POST", "/targets", {**TARGET, "meta": "m" * 2_000_001}), 422)
        refused(app.send("POST", "/targets", {**TARGET, "mine": "m" * 2_000_001}), 422)
        assert len(app.call("POST", "/targets", {**TARGET, "meta": "m" * 2_000_000})["meta"]) == 2_000_000

    def test_422_body(self, app: EasyAR) -> None:
        """A body beyond all limits is refused before anything else."""
        refused(app.client.post("/targets", json={"image": "A" * 50_000_000}), 422)


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
        refused(gallery.send("PUT", path, {"image": b64(bytes(LARGEST_IMAGE + 1))}), 422)
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
