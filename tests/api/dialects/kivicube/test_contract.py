"""Every method and every code that the contract lists for it."""

from __future__ import annotations

import contextlib

import pytest

from api.dialects.kivicube.codes import CODES, MEANINGS
from api.dialects.kivicube.contract import METHODS
from engine.catalogue import Catalogue, StoredFeatures
from engine.errors import ObverseError
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server, make_channel

WRONG = {"username": "nobody", "secretkey": "nothing"}


class TestAddImage:
    def test_ok(self, server: Server, alice: Caller, channel: str) -> None:
        """0 with a level from 1 to 5; the picture is found by the next call."""
        answer = server.call("AddImage", alice, picture(10), channel=channel, identifier="new.1")
        assert set(answer) == {"returncode", "level"}
        assert answer["returncode"] == 0
        assert answer["level"] in range(1, 6)
        assert server.call("FindImage", alice, photo_of(10), channel=channel) == {
            "returncode": 0,
            "identifier": "new.1",
        }

    def test_20001(self, server: Server, channel: str) -> None:
        assert server.code("AddImage", None, picture(10), channel=channel, identifier="abc", **WRONG) == 20001

    def test_20003(self, server: Server, alice: Caller) -> None:
        assert server.code("AddImage", alice, picture(10), channel="no-such", identifier="abc") == 20003

    def test_20004(self, server: Server, alice: Caller, bobs: str) -> None:
        assert server.code("AddImage", alice, picture(10), channel=bobs, identifier="abc") == 20004

    @pytest.mark.parametrize("form", ["data", "json", "content"])
    def test_20005_not_multipart(self, server: Server, alice: Caller, channel: str, form: str) -> None:
        """Only a multipart stream will do; that is judged before anything else."""
        fields = {**alice.fields, "channel": channel, "identifier": "abc"}
        body = {"content": picture(10)} if form == "content" else {form: fields}
        assert server.client.post("/AddImage", **body).json()["returncode"] == 20005

    def test_20005_no_image(self, server: Server, alice: Caller, channel: str) -> None:
        assert server.code("AddImage", alice, None, channel=channel, identifier="abc") == 20005

    def test_20006(self, server: Server, alice: Caller, channel: str) -> None:
        image = picture(10) + b"\0" * 400_000
        assert server.code("AddImage", alice, image, channel=channel, identifier="abc") == 20006

    @pytest.mark.parametrize(
        "image",
        [b"", b"text", b"GIF89a" + b"\0" * 50, picture(10)[:600], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" * 9],
    )
    def test_20007(self, server: Server, alice: Caller, channel: str, image: bytes) -> None:
        """Empty, unknown, another format, broken off."""
        assert server.code("AddImage", alice, image, channel=channel, identifier="abc") == 20007

    @pytest.mark.parametrize(
        "identifier", ["ab", "a" * 51, "a-b", "a b c", "äöü", "日本語", "abc\n", "../etc", None, ""]
    )
    def test_20010(self, server: Server, alice: Caller, channel: str, identifier: str | None) -> None:
        assert server.code("AddImage", alice, picture(10), channel=channel, identifier=identifier) == 20010

    def test_identifier_of_50_characters(self, server: Server, alice: Caller, channel: str) -> None:
        identifier = "Az09@_." + "x" * 43
        assert server.code("AddImage", alice, picture(10), channel=channel, identifier=identifier) == 0
        assert server.call("GetImages", alice, channel=channel)["images"][0]["identifier"] == identifier

    def test_20012(self, server: Server, alice: Caller) -> None:
        full = make_channel(server.folder, "full", alice, quota=1)
        assert server.code("AddImage", alice, picture(10), channel=full, identifier="first") == 0
        assert server.code("AddImage", alice, picture(11), channel=full, identifier="second") == 20012
        assert server.code("RemoveImage", alice, channel=full, identifier="first") == 0
        assert server.code("AddImage", alice, picture(11), channel=full, identifier="second") == 0

    def test_20013(self, server: Server, alice: Caller, channel: str) -> None:
        assert server.code("AddImage", alice, flat(), channel=channel, identifier="abc") == 20013

    def test_20016(self, server: Server, alice: Caller, books: str) -> None:
        assert server.code("AddImage", alice, picture(10), channel=books, identifier="one.1") == 20016


class TestRemoveImage:
    def test_ok(self, server: Server, alice: Caller, channel: str) -> None:
        """0, and the picture is never answered again."""
        assert server.code("AddImage", alice, picture(12), channel=channel, identifier="gone.1") == 0
        assert server.call("RemoveImage", alice, channel=channel, identifier="gone.1") == {"returncode": 0}
        assert server.call("FindImage", alice, photo_of(12), channel=channel) == {"returncode": 0}
        assert server.call("GetImages", alice, channel=channel)["totalcount"] == 0

    def test_20001(self, server: Server, books: str) -> None:
        assert server.code("RemoveImage", channel=books, identifier="one.1", **WRONG) == 20001

    def test_20003(self, server: Server, alice: Caller) -> None:
        assert server.code("RemoveImage", alice, channel="no-such", identifier="one.1") == 20003

    def test_20004(self, server: Server, alice: Caller, bobs: str) -> None:
        assert server.code("RemoveImage", alice, channel=bobs, identifier="secret.1") == 20004


class TestGetImages:
    def test_ok(self, server: Server, alice: Caller, books: str) -> None:
        """Sorted by identifier in code point order, with metadata as it was given."""
        answer = server.call("GetImages", alice, channel=books)
        assert {name: answer[name] for name in ("returncode", "totalcount")} == {"returncode": 0, "totalcount": 3}
        assert [image["identifier"] for image in answer["images"]] == ["one.1", "three.3", "two.2"]
        assert [image["metadata"] for image in answer["images"]] == ['{"number": 1}', '{"number": 3}', '{"number": 2}']
        assert all(0 < image["matchratio"] <= 100 and len(image) == 3 for image in answer["images"])

    def test_20001(self, server: Server, books: str) -> None:
        assert server.code("GetImages", channel=books, **WRONG) == 20001

    def test_20003(self, server: Server, alice: Caller) -> None:
        assert server.code("GetImages", alice, channel="no-such") == 20003

    def test_20004(self, server: Server, alice: Caller, bobs: str) -> None:
        assert server.code("GetImages", alice, channel=bobs) == 20004


class TestGetImage:
    def test_ok(self, server: Server, alice: Caller, books: str) -> None:
        answer = server.call("GetImage", alice, channel=books, identifier="two.2")
        assert set(answer) == {"returncode", "metadata", "matchratio", "level"}
        assert answer["metadata"] == '{"number": 2}'

    def test_20001(self, server: Server, books: str) -> None:
        assert server.code("GetImage", channel=books, identifier="one.1", **WRONG) == 20001

    def test_20003(self, server: Server) -> None:
        assert server.code("GetImage", channel="no-such", identifier="one.1") == 20003

    def test_20004(self, server: Server, alice: Caller, bobs: str) -> None:
        assert server.code("GetImage", alice, channel=bobs, identifier="secret.1") == 20004

    def test_20014(self, server: Server, books: str) -> None:
        assert server.code("GetImage", channel=books, identifier="four.4") == 20014


class TestUpdateImageInfo:
    def test_ok(self, server: Server, alice: Caller, channel: str) -> None:
        server.call("AddImage", alice, picture(13), channel=channel, identifier="abc", metadata="old")
        changed = server.call(
            "UpdateImageInfo", alice, channel=channel, identifier="abc", matchratio="0.25", metadata="ñ"
        )
        assert changed == {"returncode": 0}
        found = server.call("GetImage", alice, channel=channel, identifier="abc")
        assert (found["metadata"], found["matchratio"]) == ("ñ", 25)

    def test_20001(self, server: Server, books: str) -> None:
        assert server.code("UpdateImageInfo", channel=books, identifier="one.1", **WRONG) == 20001

    def test_20003(self, server: Server, alice: Caller) -> None:
        assert server.code("UpdateImageInfo", alice, channel="no-such", identifier="one.1") == 20003

    def test_20004(self, server: Server, alice: Caller, bobs: str) -> None:
        assert server.code("UpdateImageInfo", alice, channel=bobs, identifier="secret.1", metadata="mine") == 20004

    def test_20014(self, server: Server, alice: Caller, books: str) -> None:
        assert server.code("UpdateImageInfo", alice, channel=books, identifier="four.4", metadata="x") == 20014


class TestStatistics:
    def test_ok(self, server: Server, alice: Caller, channel: str) -> None:
        """A count appears in the next call: by channel without a channel, by identifier with one."""
        server.call("AddImage", alice, picture(14), channel=channel, identifier="abc")
        for _ in range(2):
            assert server.call("FindImage", alice, photo_of(14), channel=channel)["identifier"] == "abc"
        days = {"startdate": "2020", "enddate": "2100"}
        one = server.call("Statistics", alice, channel=channel, **days)
        assert (one["returncode"], one["username"], one["channel"]) == (0, alice.full.username, channel)
        assert [{k: r[k] for k in ("identifier", "count")} for r in one["records"]] == [
            {"identifier": "abc", "count": 2}
        ]
        assert len(one["records"][0]["date"]) == 8
        all_of_them = server.call("Statistics", alice, **days)
        assert set(all_of_them) == {"returncode", "username", "records"}
        assert [r["count"] for r in all_of_them["records"] if r["channel"] == channel] == [2]

    def test_20001(self, server: Server) -> None:
        assert server.code("Statistics", startdate="2026", enddate="2026", **WRONG) == 20001

    def test_20003(self, server: Server, alice: Caller) -> None:
        assert server.code("Statistics", alice, startdate="2026", enddate="2026", channel="no-such") == 20003

    def test_20004(self, server: Server, alice: Caller, bobs: str) -> None:
        assert server.code("Statistics", alice, startdate="2026", enddate="2026", channel=bobs) == 20004

    def test_20014(self, server: Server, alice: Caller, books: str) -> None:
        asked = {"startdate": "2026", "enddate": "2026", "channel": books, "identifier": "four.4"}
        assert server.code("Statistics", alice, **asked) == 20014


class TestFindImage:
    def test_ok(self, server: Server, alice: Caller, books: str) -> None:
        assert server.call("FindImage", alice, photo_of(2), channel=books) == {"returncode": 0, "identifier": "two.2"}

    def test_20001(self, server: Server, books: str) -> None:
        assert server.code("FindImage", None, photo_of(2), channel=books, **WRONG) == 20001

    def test_20003(self, server: Server, alice: Caller) -> None:
        assert server.code("FindImage", alice, photo_of(2), channel="no-such") == 20003

    def test_20004(self, server: Server, alice: Caller, bobs: str) -> None:
        assert server.code("FindImage", alice, photo_of(50), channel=bobs) == 20004

    def test_20006(self, server: Server, alice: Caller, books: str) -> None:
        assert server.code("FindImage", alice, photo_of(2) + b"\0" * 400_000, channel=books) == 20006

    @pytest.mark.parametrize("image", [b"", b"text", photo_of(2)[:500]])
    def test_20007(self, server: Server, alice: Caller, books: str, image: bytes) -> None:
        assert server.code("FindImage", alice, image, channel=books) == 20007

    def test_20013(self, server: Server, alice: Caller, books: str) -> None:
        assert server.code("FindImage", alice, flat(), channel=books) == 20013


class TestCodes:
    """The table of errors and codes."""

    def test_every_error_has_a_published_code(self) -> None:
        import engine.recognizer  # noqa: F401  # every module that may define errors is loaded

        waiting, seen = [ObverseError], set()
        while waiting:
            kind = waiting.pop()
            waiting += kind.__subclasses__()
            seen.add(kind)
        for kind in seen:
            assert next(CODES[parent] for parent in kind.__mro__ if parent in CODES) in MEANINGS

    def test_no_undefined_code(self) -> None:
        """The gaps in the vendor's numbering are never sent."""
        assert not {20002, 20008, 20009, 20011} & set(MEANINGS)
        assert all(set(method.codes) <= set(MEANINGS) for method in METHODS)

    def test_prefix(self, server: Server, alice: Caller, books: str) -> None:
        """The methods also live under /kivicube."""
        assert server.call("kivicube/GetImages", alice, channel=books)["totalcount"] == 3
        assert server.call("kivicube/FindImage", alice, photo_of(1), channel=books)["identifier"] == "one.1"

    def test_paging_over_a_thousand(self, server: Server, alice: Caller, channel: str) -> None:
        """The loop that the contract tells clients to run sees each picture once, in order."""
        with contextlib.closing(Catalogue(server.folder)) as catalogue:
            row = catalogue.features([next(catalogue.all_pictures()).id])[0]
            stored = StoredFeatures(keypoints=row[3], vector=row[4])
            for number in range(1_005):
                catalogue.add_picture(channel, f"p.{number:05}", stored, level=3, size=(9, 9), keypoints=1)
        seen, position = [], 0
        while True:
            page = server.call("GetImages", alice, channel=channel, position=position)
            seen += [image["identifier"] for image in page["images"]]
            position += len(page["images"])
            assert page["totalcount"] == 1_005
            if position >= page["totalcount"]:
                break
        assert seen == [f"p.{number:05}" for number in range(1_005)]
