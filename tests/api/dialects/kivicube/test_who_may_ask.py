"""What docs/kivicube-ambiguities.md decides about who may ask, and what operators can choose."""

from __future__ import annotations

from pathlib import Path

from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server, make_user, serving

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
