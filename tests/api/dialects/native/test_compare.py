"""POST /v1/compare: what is sent, what is told, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server


def compare(
    server: Server, who: Caller | None, *, form: dict[str, str] | None = None, **files: bytes
) -> httpx.Response:
    keys = (who.full.username, who.full.secretkey) if who else None
    parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in (form or {}).items()]
    parts += [(name, (f"{name}.bin", data)) for name, data in files.items()]
    return server.client.post("/v1/compare", files=parts or [("nothing", (None, ""))], auth=keys)


def refused(response: httpx.Response) -> tuple[int, str]:
    answer = response.json()
    assert set(answer) == {"error", "message"}
    assert answer["message"]
    return response.status_code, answer["error"]


class TestAnswers:
    def test_two_images(self, server: Server, alice: Caller) -> None:
        """Ratio, reason, outline, and a homography that leads from the one to the other."""
        answer = compare(server, alice, image=photo_of(1), picture=picture(1)).json()
        assert (answer["same"], answer["reason"]) == (True, "agrees")
        assert answer["matchratio"] > 90
        assert answer["because"] == "what is seen of it agrees"
        assert set("".join(answer["cells"])) <= {"=", "x", "?"}
        shown = np.array(answer["homography"]) @ [-0.5, -0.5, 1]
        assert np.abs(shown[:2] / shown[2] - answer["quad"][0]).max() < 0.1
        assert sum(answer["timings_ms"].values()) > 0

    def test_a_stored_picture(self, server: Server, alice: Caller, books: str) -> None:
        """The same answer as with the file, and nothing is counted."""
        stored = compare(server, alice, form={"channel": books, "identifier": "one.1"}, image=photo_of(1)).json()
        given = compare(server, alice, image=photo_of(1), picture=picture(1)).json()
        for answer in (stored, given):
            del answer["timings_ms"]
        assert stored == given
        counts = server.call("Statistics", alice, channel=books, startdate="2020", enddate="2100")
        before = sum(record["count"] for record in counts["records"])
        compare(server, alice, form={"channel": books, "identifier": "one.1"}, image=photo_of(1))
        counts = server.call("Statistics", alice, channel=books, startdate="2020", enddate="2100")
        assert sum(record["count"] for record in counts["records"]) == before

    def test_another_picture(self, server: Server, alice: Caller) -> None:
        answer = compare(server, alice, image=photo_of(2), picture=picture(1)).json()
        assert answer["same"] is False
        assert answer["because"]

    def test_keys_in_the_form(self, server: Server, alice: Caller) -> None:
        """Either pair will do, in either place; the header comes first."""
        for pair in (alice.fields, alice.reading.fields):
            done = compare(server, None, form=pair, image=photo_of(1), picture=picture(1))
            assert done.status_code == 200
        wrong = {"username": "wrong", "secretkey": "wrong"}
        assert compare(server, alice, form=wrong, image=photo_of(1), picture=picture(1)).status_code == 200


class TestRefusals:
    @pytest.mark.parametrize(
        "header",
        [
            "Basic",
            "Basic !!",
            "Basic YQ==",
            "Basic /w==",
            "Bearer abc",
            "Basic d3Jvbmc6d3Jvbmc=",
            "Basic Og==",
            "Basic \xe9",
        ],
    )
    def test_credentials(self, server: Server, header: str) -> None:
        response = server.client.post(
            "/v1/compare",
            files={"image": photo_of(1), "picture": picture(1)},
            headers={"Authorization": header.encode("latin-1")},
        )
        assert refused(response) == (401, "wrong_credentials")
        assert response.headers["www-authenticate"].startswith("Basic ")

    def test_none_at_all(self, server: Server) -> None:
        assert refused(compare(server, None, image=photo_of(1), picture=picture(1))) == (401, "wrong_credentials")

    def test_what_is_missing(self, server: Server, alice: Caller, books: str) -> None:
        stored = {"channel": books, "identifier": "one.1"}
        for form, files in (
            ({}, {"image": photo_of(1)}),
            ({}, {"picture": photo_of(1)}),
            (stored, {}),
            (stored, {"image": photo_of(1), "picture": picture(1)}),
            ({"image_url": "https://example.com/a"}, {"picture": picture(1)}),  # the setting is off
        ):
            assert refused(compare(server, alice, form=form, **files)) == (400, "invalid_value")

    def test_malformed(self, server: Server, alice: Caller) -> None:
        keys = (alice.full.username, alice.full.secretkey)
        for sent in ({"json": {"image": "a"}}, {"content": b""}, {"data": {"image": "a"}}):
            assert refused(server.client.post("/v1/compare", auth=keys, **sent)) == (400, "malformed_body")
        long = {"channel": "c" * 10_000, "identifier": "one.1"}
        assert refused(compare(server, alice, form=long, image=photo_of(1))) == (400, "invalid_value")

    def test_where(self, server: Server, alice: Caller, books: str, bobs: str) -> None:
        for form, expected in (
            ({"channel": "none", "identifier": "one.1"}, (404, "channel_not_found")),
            ({"identifier": "one.1"}, (404, "channel_not_found")),
            ({"channel": bobs, "identifier": "secret.1"}, (403, "foreign_channel")),
            ({"channel": books, "identifier": "none.1"}, (404, "picture_not_found")),
            ({"channel": books, "identifier": "a/b"}, (404, "picture_not_found")),
            ({"channel": books}, (404, "picture_not_found")),
        ):
            assert refused(compare(server, alice, form=form, image=photo_of(1))) == expected

    @pytest.mark.parametrize("name", ["image", "picture"])
    def test_images(self, server: Server, alice: Caller, name: str) -> None:
        """Which one it is, is told."""
        good = {"image": photo_of(1), "picture": picture(1)}
        for bad, expected in (
            (b"text", (422, "not_an_image")),
            (b"", (422, "not_an_image")),
            (flat(), (422, "too_few_features")),
            (b"\xff\xd8\xff" + bytes(500_000), (413, "too_large")),
        ):
            response = compare(server, alice, **{**good, name: bad})
            assert refused(response) == expected
            assert response.json()["message"].startswith(f"{name}: ")

    def test_other_paths_and_verbs(self, server: Server) -> None:
        assert server.client.get("/v1/compare").status_code == 405
        assert server.client.post("/v1/compares").status_code == 404
