"""What docs/kivicube-ambiguities.md decides about fields, files and encodings."""

from __future__ import annotations

import json

import pytest

from tests.support.drawn import encoded, poster
from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server

DAYS = {"startdate": "2020", "enddate": "2100"}


class TestFindImageTransport:
    """K5"""

    def test_not_multipart(self, server: Server, alice: Caller) -> None:
        assert server.client.post("/FindImage", data=alice.fields).json()["returncode"] == 20005

    def test_no_file(self, server: Server, alice: Caller) -> None:
        assert server.code("FindImage", alice) == 20005


class TestMissingFields:
    """K6, K8"""

    @pytest.mark.parametrize(
        "method", ["AddImage", "RemoveImage", "GetImages", "UpdateImageInfo", "Statistics", "FindImage"]
    )
    def test_credentials(self, server: Server, alice: Caller, books: str, method: str) -> None:
        image = photo_of(1) if method in ("AddImage", "FindImage") else None
        for left_out in ("username", "secretkey"):
            fields = {**alice.fields, "channel": books, "identifier": "one.1", left_out: None}
            assert server.code(method, None, image, **fields) == 20001

    @pytest.mark.parametrize("method", ["AddImage", "RemoveImage", "GetImages", "GetImage", "UpdateImageInfo"])
    def test_channel(self, server: Server, alice: Caller, method: str) -> None:
        image = picture(1) if method == "AddImage" else None
        assert server.code(method, alice, image, identifier="one.1") == 20003
        assert server.code(method, alice, image, identifier="one.1", channel="") == 20003

    @pytest.mark.parametrize("identifier", [None, "", "a", "x" * 51, "a/b", "a\x00bc"])
    def test_identifier(self, server: Server, alice: Caller, books: str, identifier: str | None) -> None:
        """Outside AddImage a malformed identifier is one that does not exist."""
        for method in ("RemoveImage", "GetImage", "UpdateImageInfo"):
            assert server.code(method, alice, channel=books, identifier=identifier) == 20014

    def test_dates(self, server: Server, alice: Caller) -> None:
        assert server.code("Statistics", alice, startdate="2026") == 20010
        assert server.code("Statistics", alice, enddate="2026") == 20010


class TestMatchRatio:
    """K13, K24"""

    @pytest.mark.parametrize(
        ("text", "number"),
        [("0.6", 60), ("1", 100), ("1.5", 1.5), ("60", 60), ("100", 100), ("33.25", 33.25), (".5", 50)],
    )
    def test_accepted(self, server: Server, alice: Caller, channel: str, text: str, number: float) -> None:
        added = server.call("AddImage", alice, picture(21), channel=channel, identifier="abc", matchratio=text)
        assert added["returncode"] == 0
        assert server.call("GetImages", alice, channel=channel)["images"][0]["matchratio"] == number

    @pytest.mark.parametrize(
        "text", ["0", "-1", "100.1", "1e9", "nan", "inf", "abc", "", " 60", "\uff16\uff10", "0x10", "1_0"]
    )
    def test_refused(self, server: Server, alice: Caller, books: str, text: str) -> None:
        """20010 with a message that names it, and the picture stays as it was."""
        before = server.call("GetImage", alice, channel=books, identifier="one.1")
        answer = server.call(
            "UpdateImageInfo", alice, channel=books, identifier="one.1", matchratio=text, metadata="new"
        )
        assert answer["returncode"] == 20010
        assert "matchratio" in answer["message"]
        assert server.call("GetImage", alice, channel=books, identifier="one.1") == before

    def test_as_json_number(self, server: Server, alice: Caller, channel: str) -> None:
        server.call("AddImage", alice, picture(21), channel=channel, identifier="abc")
        body = {**alice.fields, "channel": channel, "identifier": "abc", "matchratio": 0.75}
        assert server.client.post("/UpdateImageInfo", json=body).json() == {"returncode": 0}
        assert server.call("GetImage", channel=channel, identifier="abc")["matchratio"] == 75

    def test_it_decides(self, server: Server, alice: Caller, channel: str) -> None:
        """A match below the picture's ratio is no answer."""
        server.call("AddImage", alice, picture(22), channel=channel, identifier="abc", matchratio="0.0001")
        explained = server.call("FindImage", alice, photo_of(22), channel=channel, explain=1)
        assert explained["identifier"] == "abc"
        if explained["matchratio"] < 100:
            server.call("UpdateImageInfo", alice, channel=channel, identifier="abc", matchratio="100")
            assert server.call("FindImage", alice, photo_of(22), channel=channel) == {"returncode": 0}


class TestMetadata:
    """K14, K24"""

    @pytest.mark.parametrize("text", ['{"a": [1, 2 ]}', "not json", " \t padded\r\n", "日本語 🖼 é", "null", "{" * 5000])
    def test_echoed_byte_for_byte(self, server: Server, alice: Caller, channel: str, text: str) -> None:
        server.call("AddImage", alice, picture(21), channel=channel, identifier="abc", metadata=text)
        assert server.call("GetImage", channel=channel, identifier="abc")["metadata"] == text

    def test_absent_and_empty(self, server: Server, alice: Caller, channel: str) -> None:
        server.call("AddImage", alice, picture(21), channel=channel, identifier="abc")
        assert server.call("GetImage", channel=channel, identifier="abc")["metadata"] == ""
        server.call("UpdateImageInfo", alice, channel=channel, identifier="abc", metadata="text")
        server.call("UpdateImageInfo", alice, channel=channel, identifier="abc", matchratio="50")
        assert server.call("GetImage", channel=channel, identifier="abc")["metadata"] == "text"
        server.call("UpdateImageInfo", alice, channel=channel, identifier="abc", metadata="")
        assert server.call("GetImage", channel=channel, identifier="abc")["metadata"] == ""

    def test_two_megabytes(self, server: Server, alice: Caller, channel: str) -> None:
        """2,000,000 bytes are taken, one more is refused, in each encoding of the body."""
        server.call("AddImage", alice, picture(21), channel=channel, identifier="abc")
        fields = {**alice.fields, "channel": channel, "identifier": "abc"}
        largest, larger = "é" * 1_000_000, "é" * 1_000_000 + "a"
        for form in ("data", "json"):
            for text, code in ((largest, 0), (larger, 20010)):
                answer = server.client.post("/UpdateImageInfo", **{form: {**fields, "metadata": text}}).json()
                assert answer["returncode"] == code
        assert server.code("UpdateImageInfo", alice, channel=channel, identifier="abc", metadata=larger) == 20010
        assert server.call("GetImage", channel=channel, identifier="abc")["metadata"] == largest

    def test_not_utf8(self, server: Server, alice: Caller, channel: str) -> None:
        server.call("AddImage", alice, picture(21), channel=channel, identifier="abc", metadata="old")
        fields = {**alice.fields, "channel": channel, "identifier": "abc"}
        parts = [*((name, (None, value)) for name, value in fields.items()), ("metadata", (None, b"\xff\xfe"))]
        assert server.client.post("/UpdateImageInfo", files=parts).json()["returncode"] == 20010
        for value in ({"a": 1}, [1], "\ud800"):
            answer = server.client.post(
                "/UpdateImageInfo",
                content=json.dumps({**fields, "metadata": value}),
                headers={"content-type": "application/json"},
            )
            assert answer.json()["returncode"] == 20010
        assert server.call("GetImage", channel=channel, identifier="abc")["metadata"] == "old"


class TestEncodings:
    """K22: the methods without a file take all three encodings."""

    @pytest.mark.parametrize("form", ["data", "json", "files"])
    @pytest.mark.parametrize(
        ("method", "fields"),
        [
            ("GetImages", {"position": "1"}),
            ("GetImage", {"identifier": "one.1"}),
            ("UpdateImageInfo", {"identifier": "one.1"}),
            ("RemoveImage", {"identifier": "never.was"}),
            ("Statistics", DAYS),
        ],
    )
    def test_all(
        self, server: Server, alice: Caller, books: str, form: str, method: str, fields: dict[str, str]
    ) -> None:
        body = {**alice.fields, "channel": books, **fields, "unknown": "ignored"}
        if form == "files":
            body = {name: (None, value) for name, value in body.items()}
        assert server.client.post(f"/{method}", **{form: body}).json()["returncode"] == 0

    def test_json_numbers(self, server: Server, alice: Caller, books: str) -> None:
        body = {**alice.fields, "channel": books, "position": 2, "other": {"nested": [None]}}
        assert len(server.client.post("/GetImages", json=body).json()["images"]) == 1

    def test_no_body_at_all(self, server: Server) -> None:
        assert server.client.post("/GetImages").json()["returncode"] == 20001
        assert server.client.post("/GetImage").json()["returncode"] == 20003


class TestImagesByContent:
    """1.6: neither name nor type of the part says what it holds."""

    @pytest.mark.parametrize("name", ["a.jpg", "a.png", "tmp_7f3a", "x.gif", "", "../../etc/passwd", "ä.jpg"])
    def test_names(self, server: Server, alice: Caller, books: str, name: str) -> None:
        image = encoded(poster(1), ".png")
        found = server.client.post(
            "/FindImage", data={**alice.fields, "channel": books}, files={"image": (name, image, "text/plain")}
        )
        assert found.json() == {"returncode": 0, "identifier": "one.1"}
