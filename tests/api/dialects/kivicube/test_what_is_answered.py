"""What docs/kivicube-ambiguities.md decides about answers, and which of several errors comes first."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.support.drawn import poster
from tests.support.drawn_pictures import TO_PHOTO, flat, photo_of, picture
from tests.support.running_server import Caller, Server, make_channel, make_user


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
        answer = server.call("FindImage", alice, photo_of(1), channel=books, explain=1)
        assert set(answer) == {"returncode", "identifier", "matchratio", "quad", "timings_ms", "because"}
        assert answer["because"] == "what is seen of it agrees"
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

    def test_several(self, server: Server, bob: Caller) -> None:
        """Each picture in the photo, the surest first and by name; each is counted once."""
        channel = make_channel(server.folder, "several", bob)
        for seed in (61, 62, 63):
            assert server.code("AddImage", bob, picture(seed), channel=channel, identifier=f"one.{seed}") == 0
        pair = [cv2.imdecode(np.frombuffer(photo_of(seed), np.uint8), cv2.IMREAD_COLOR) for seed in (61, 62)]
        photo = cv2.imencode(".jpg", np.hstack(pair))[1].tobytes()
        answer = server.call("FindImage", bob, photo, channel=channel, several=1)
        assert set(answer) == {"returncode", "identifier", "results"}
        assert sorted(result["identifier"] for result in answer["results"]) == ["one.61", "one.62"]
        assert answer["identifier"] == answer["results"][0]["identifier"]
        days = {"startdate": "2020", "enddate": "2100"}
        counted = server.call("Statistics", bob, channel=channel, **days)
        assert sorted((row["identifier"], row["count"]) for row in counted["records"]) == [("one.61", 1), ("one.62", 1)]
        nothing = server.call("FindImage", bob, photo_of(99), channel=channel, several=1)
        assert nothing == {"returncode": 0, "results": []}

    @pytest.mark.parametrize(
        "extra", [{"limit": "-1"}, {"limit": "x"}, {"limit": "51"}, {"explain": "yes"}, {"several": "2"}]
    )
    def test_malformed_extension(self, server: Server, alice: Caller, books: str, extra: dict[str, str]) -> None:
        assert server.code("FindImage", alice, photo_of(1), channel=books, **extra) == 20010


class TestRemoving:
    """K7"""

    def test_unknown_identifier(self, server: Server, alice: Caller, books: str) -> None:
        assert server.call("RemoveImage", alice, channel=books, identifier="never.was") == {"returncode": 0}


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
