"""What the vendor's pages leave open, as the contract decides it: a test for each of K1 to K24."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.drawn import encoded, poster
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server, make_channel, make_user, serving

DAYS = {"startdate": "2020", "enddate": "2100"}


class TestGetImageWithoutCredentials:
    """K1, K2"""

    def test_is_public(self, server: Server, books: str) -> None:
        answer = server.call("GetImage", channel=books, identifier="one.1")
        assert set(answer) == {"returncode", "metadata", "matchratio", "level"}

    def test_half_a_pair_is_verified(self, server: Server, books: str, alice: Caller) -> None:
        assert server.code("GetImage", channel=books, identifier="one.1", username=alice.full.username) == 20001
        assert server.code("GetImage", channel=books, identifier="one.1", secretkey="x") == 20001

    def test_empty_credentials_are_none(self, server: Server, books: str) -> None:
        assert server.code("GetImage", channel=books, identifier="one.1", username="", secretkey="") == 0


class TestFindImageAnswers:
    """K3, K4, and the extensions"""

    def test_without_channel(self, server: Server, alice: Caller, books: str) -> None:
        answer = server.call("FindImage", alice, photo_of(3))
        assert set(answer) == {"returncode", "identifier", "channel", "level"}
        assert (answer["identifier"], answer["channel"]) == ("three.3", books)

    def test_empty_channel_is_none(self, server: Server, alice: Caller, books: str) -> None:
        assert server.call("FindImage", alice, photo_of(3), channel="")["channel"] == books

    def test_no_match_has_no_identifier(self, server: Server, alice: Caller, books: str) -> None:
        assert server.call("FindImage", alice, photo_of(99), channel=books) == {"returncode": 0}

    def test_user_without_channels(self, server: Server) -> None:
        newcomer = make_user(server.folder, "newcomer")
        assert server.call("FindImage", newcomer, photo_of(1)) == {"returncode": 0}
        assert server.code("FindImage", newcomer, b"no image") == 20007

    def test_explain(self, server: Server, alice: Caller, books: str) -> None:
        """The outline lies where the photo was made to show the picture."""
        import cv2
        import numpy as np

        from tests.support.drawn_pictures import TO_PHOTO

        answer = server.call("FindImage", alice, photo_of(1), channel=books, explain=1)
        assert set(answer) == {"returncode", "identifier", "matchratio", "quad", "timings_ms"}
        assert 0 < answer["matchratio"] <= 100
        assert all(ms >= 0 for ms in answer["timings_ms"].values())
        height, width = poster(1).shape[:2]
        corners = np.float32([[[0, 0], [width, 0], [width, height], [0, height]]])
        assert np.abs(cv2.perspectiveTransform(corners, TO_PHOTO)[0] - np.array(answer["quad"])).max() < 12

    def test_explain_without_match(self, server: Server, alice: Caller, books: str) -> None:
        answer = server.call("FindImage", alice, photo_of(98), channel=books, explain=1)
        assert set(answer) == {"returncode", "timings_ms"}

    def test_limit(self, server: Server, alice: Caller, books: str) -> None:
        answer = server.call("FindImage", alice, photo_of(1), channel=books, limit=2)
        assert set(answer) == {"returncode", "identifier", "results"}
        first = answer["results"][0]
        assert set(first) == {"identifier", "channel", "matchratio", "quad"}
        assert first["identifier"] == answer["identifier"]
        ratios = [result["matchratio"] for result in answer["results"]]
        assert ratios == sorted(ratios, reverse=True)
        assert len(ratios) <= 2

    @pytest.mark.parametrize("extra", [{"limit": "-1"}, {"limit": "x"}, {"limit": "51"}, {"explain": "yes"}])
    def test_malformed_extension(self, server: Server, alice: Caller, books: str, extra: dict[str, str]) -> None:
        assert server.code("FindImage", alice, photo_of(1), channel=books, **extra) == 20010


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


class TestRemoving:
    """K7"""

    def test_unknown_identifier(self, server: Server, alice: Caller, books: str) -> None:
        assert server.call("RemoveImage", alice, channel=books, identifier="never.was") == {"returncode": 0}


class TestReadOnlyPair:
    """K12"""

    def test_reads(self, server: Server, alice: Caller, books: str) -> None:
        reader = alice.reading
        assert server.call("FindImage", reader, photo_of(1), channel=books)["identifier"] == "one.1"
        assert server.code("GetImage", reader, channel=books, identifier="one.1") == 0
        assert server.code("Statistics", reader, **DAYS) == 0

    def test_changes_nothing(self, server: Server, alice: Caller, books: str) -> None:
        reader = alice.reading
        assert server.code("AddImage", reader, picture(20), channel=books, identifier="four.4") == 20001
        for method in ("RemoveImage", "UpdateImageInfo", "GetImages"):
            assert server.code(method, reader, channel=books, identifier="one.1") == 20001

    def test_halves_do_not_mix(self, server: Server, alice: Caller) -> None:
        mixed = {"username": alice.full.username, "secretkey": alice.readonly.secretkey}
        assert server.code("Statistics", **mixed, **DAYS) == 20001


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
            import json

            answer = server.client.post(
                "/UpdateImageInfo",
                content=json.dumps({**fields, "metadata": value}),
                headers={"content-type": "application/json"},
            )
            assert answer.json()["returncode"] == 20010
        assert server.call("GetImage", channel=channel, identifier="abc")["metadata"] == "old"


class TestPaging:
    """K15"""

    def test_positions(self, server: Server, alice: Caller, books: str) -> None:
        for position, names in ((0, ["one.1", "three.3", "two.2"]), (2, ["two.2"]), (3, []), (10**12, [])):
            answer = server.call("GetImages", alice, channel=books, position=position)
            assert (answer["totalcount"], [image["identifier"] for image in answer["images"]]) == (3, names)

    @pytest.mark.parametrize("position", ["-1", "one", "1.5", "", "9" * 40, "\uff11"])
    def test_malformed(self, server: Server, alice: Caller, books: str, position: str) -> None:
        assert server.code("GetImages", alice, channel=books, position=position) == 20010

    def test_code_point_order(self, server: Server, alice: Caller, channel: str) -> None:
        for seed, identifier in enumerate(("b.1", "B.1", "_.1", "@.1", "a.1", "1.1"), start=21):
            assert server.code("AddImage", alice, picture(seed), channel=channel, identifier=identifier) == 0
        names = [image["identifier"] for image in server.call("GetImages", alice, channel=channel)["images"]]
        assert names == sorted(names) == ["1.1", "@.1", "B.1", "_.1", "a.1", "b.1"]


class TestStatisticsRules:
    """K16, K17, K18"""

    @pytest.mark.parametrize(
        ("start", "end"), [("2020", "2100"), ("202001", "2100"), ("20200131", "210012"), ("2020", "21000228")]
    )
    def test_widths_mix(self, server: Server, alice: Caller, start: str, end: str) -> None:
        assert server.code("Statistics", alice, startdate=start, enddate=end) == 0

    @pytest.mark.parametrize(
        "date", ["", "26", "202613", "20260230", "2026-01", "20261", "x", "\uff12\uff10\uff12\uff16", "0000"]
    )
    def test_unparsable(self, server: Server, alice: Caller, date: str) -> None:
        answer = server.call("Statistics", alice, startdate=date, enddate="2026")
        assert answer["returncode"] == 20010
        assert "startdate" in answer["message"]

    def test_start_after_end(self, server: Server, alice: Caller) -> None:
        assert server.call("Statistics", alice, startdate="2100", enddate="2020")["records"] == []

    def test_identifier_filters(self, server: Server, alice: Caller, channel: str) -> None:
        """With a channel: that picture's days; without: over all channels, told by channel. Removed pictures
        keep their counts."""
        server.call("AddImage", alice, picture(23), channel=channel, identifier="filter.me")
        assert server.call("FindImage", alice, photo_of(23), channel=channel)["identifier"] == "filter.me"
        for _ in range(2):
            inside = server.call("Statistics", alice, channel=channel, identifier="filter.me", **DAYS)
            assert [(r["identifier"], r["count"]) for r in inside["records"]] == [("filter.me", 1)]
            over_all = server.call("Statistics", alice, identifier="filter.me", **DAYS)
            assert [(r["channel"], r["count"]) for r in over_all["records"]] == [(channel, 1)]
            server.call("RemoveImage", alice, channel=channel, identifier="filter.me")

    def test_never_counted(self, server: Server, alice: Caller, channel: str) -> None:
        """A picture that exists and was never matched has no records; one that never existed is 20014."""
        server.call("AddImage", alice, picture(24), channel=channel, identifier="quiet")
        assert server.call("Statistics", alice, channel=channel, identifier="quiet", **DAYS)["records"] == []
        assert server.code("Statistics", alice, channel=channel, identifier="never.was", **DAYS) == 20014
        assert server.code("Statistics", alice, identifier="never.was", **DAYS) == 20014
        assert server.code("Statistics", alice, identifier="a/b", **DAYS) == 20014


class TestTypes:
    """K19"""

    def test_numbers_are_numbers(self, server: Server, alice: Caller, books: str) -> None:
        listed = server.call("GetImages", alice, channel=books)
        assert type(listed["returncode"]) is int
        assert type(listed["totalcount"]) is int
        assert type(server.call("GetImage", channel=books, identifier="one.1")["level"]) is int


class TestOrderOfChecks:
    """K20: each answer wins over all that follow, wherever the image stands in the body."""

    ORDER = (20005, 20001, 20003, 20004, 20010, 20016, 20012, 20006, 20007, 20013, 0)

    def request(self, server: Server, alice: Caller, bobs: str, *, from_step: int, image_first: bool) -> int:
        """A request that is wrong at each step from `from_step` on and right before it."""
        step = dict(zip(self.ORDER, range(len(self.ORDER)), strict=True))
        right = {code for code, number in step.items() if number < from_step}
        fields = dict(alice.fields)
        if 20001 not in right:
            fields["secretkey"] = "wrong"
        channel = "order-full" if 20012 not in right else "order-free"
        if 20016 not in right:
            channel = "order-full"
        fields["channel"] = "no-such" if 20003 not in right else bobs if 20004 not in right else channel
        fields["identifier"] = "a-b" if 20010 not in right else "taken" if 20016 not in right else "free"
        image = picture(25)
        if 20006 not in right:
            image = b"x" * 500_000
        elif 20007 not in right:
            image = b"no image"
        elif 20013 not in right:
            image = flat()
        if 20005 not in right:
            return server.client.post("/AddImage", data=fields).json()["returncode"]
        parts = [(name, (None, value)) for name, value in fields.items()]
        parts.insert(0 if image_first else len(parts), ("image", ("x", image)))
        return server.client.post("/AddImage", files=parts).json()["returncode"]

    @pytest.mark.parametrize("image_first", [False, True])
    def test_in_turn(self, server: Server, alice: Caller, bobs: str, image_first: bool) -> None:
        for name, quota in (("order-full", 1), ("order-free", None)):
            if image_first is False:
                make_channel(server.folder, name, alice, quota=quota)
                server.call("AddImage", alice, picture(25), channel=name, identifier="taken")
        for position, code in enumerate(self.ORDER[:-1]):
            found = self.request(server, alice, bobs, from_step=position, image_first=image_first)
            assert found == code, (position, code)


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


class TestReplacing:
    """K23"""

    def test_remove_then_add(self, server: Server, alice: Caller, channel: str) -> None:
        assert server.code("AddImage", alice, picture(26), channel=channel, identifier="abc") == 0
        assert server.code("AddImage", alice, picture(27), channel=channel, identifier="abc") == 20016
        assert server.call("FindImage", alice, photo_of(27), channel=channel) == {"returncode": 0}
        server.call("RemoveImage", alice, channel=channel, identifier="abc")
        assert server.code("AddImage", alice, picture(27), channel=channel, identifier="abc") == 0
        assert server.call("FindImage", alice, photo_of(27), channel=channel)["identifier"] == "abc"
        assert server.call("FindImage", alice, photo_of(26), channel=channel) == {"returncode": 0}


class TestImagesByContent:
    """1.6: neither name nor type of the part says what it holds."""

    @pytest.mark.parametrize("name", ["a.jpg", "a.png", "tmp_7f3a", "x.gif", "", "../../etc/passwd", "ä.jpg"])
    def test_names(self, server: Server, alice: Caller, books: str, name: str) -> None:
        image = encoded(poster(1), ".png")
        found = server.client.post(
            "/FindImage", data={**alice.fields, "channel": books}, files={"image": (name, image, "text/plain")}
        )
        assert found.json() == {"returncode": 0, "identifier": "one.1"}


class TestSettings:
    """K1, K10, K21, and the rate limit: what operators can choose."""

    def test_chosen(self, tmp_path: Path) -> None:
        chosen = {
            "public_getimage": "false",
            "auto_create_channel": "true",
            "default_quota": "1",
            "page_size": "1",
            "rate_limit_per_minute": "14",
        }
        with serving(tmp_path / "data", log=tmp_path / "log", **chosen) as server:
            user, other = make_user(server.folder, "user"), make_user(server.folder, "other")
            assert server.code("AddImage", user, picture(1), channel="made", identifier="one.1") == 0
            assert server.code("AddImage", other, picture(2), channel="made", identifier="two.2") == 20004
            assert server.code("AddImage", user, picture(2), channel="made", identifier="two.2") == 20012
            assert server.code("AddImage", user, picture(2), channel="a/b", identifier="two.2") == 20003
            assert server.code("AddImage", user, picture(2), channel="", identifier="two.2") == 20003
            assert server.code("GetImage", channel="made", identifier="one.1") == 20001
            assert server.code("GetImage", user, channel="made", identifier="one.1") == 0
            assert len(server.call("GetImages", user, channel="made")["images"]) == 1
            codes = [server.code("GetImages", user, channel="made") for _ in range(12)]
            assert codes[0] == 0
            assert codes[-1] == 20015
            refused = server.post("GetImages", user, channel="made")
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.headers["x-request-id"] in refused.json()["message"]
            assert server.code("GetImages", other, channel="made") == 20004
            assert server.stop() == 0
