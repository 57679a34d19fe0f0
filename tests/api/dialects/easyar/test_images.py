"""Similar targets, grades and searches, the rules of their images, and every status code of theirs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.dialects.easyar.targets import RATES
from tests.support.drawn import encoded, poster
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.easyar_client import (
    FULL,
    LARGEST_IMAGE,
    TARGET,
    EasyAR,
    b64,
    listed_id,
    make_app,
    names,
    refused,
    signed,
    succeeded,
)
from tests.support.running_server import Server, make_user

NO_IMAGES = [b"text", b"GIF89a" + b"\0" * 50, picture(20)[:600], b"\x89PNG\r\n\x1a\n"]
WITH_IMAGE = [
    ("POST", "/targets", {key: value for key, value in TARGET.items() if key != "image"}),
    ("POST", "/similar", {}),
    ("POST", "/grade/detection", {}),
    ("POST", "/grade/tracking", {}),
    ("POST", "/grade/detail", {}),
    ("POST", "/search", {}),
]


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
        refused(gallery.send(verb, path, {**fields, "image": b64(bytes(LARGEST_IMAGE + 1))}), 422)

    def test_png(self, gallery: EasyAR) -> None:
        image = encoded(poster(2), ".png")
        assert gallery.call("POST", "/search", {"image": b64(image)})["target"]["name"] == "two"


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
        refused(self.send(gallery, bytes(LARGEST_IMAGE + 1)), 422)
        refused(self.send(gallery, photo_of(30)), 17, 404)
        refused(gallery.client.post("/v2/search", json={}), 414, 415)
        broken = {"Content-Type": "multipart/form-data; boundary=x"}
        refused(gallery.client.post("/v2/search", content=b"--x", headers=broken), 414, 400)
