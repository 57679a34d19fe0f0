"""No user reads, lists, changes, finds in or counts another's channel; nothing secret is told or logged."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest

from api.accounts.store import Accounts
from api.errors import WrongCredentials
from api.settings import Settings
from engine.catalogue import Catalogue
from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server, make_channel

DAYS = {"startdate": "2020", "enddate": "2100"}


class TestOtherUsersChannels:
    @pytest.mark.parametrize("prefix", ["", "kivicube/"])
    @pytest.mark.parametrize(
        ("method", "fields"),
        [
            ("AddImage", {"identifier": "new.1"}),
            ("RemoveImage", {"identifier": "secret.1"}),
            ("GetImages", {}),
            ("GetImage", {"identifier": "secret.1"}),
            ("UpdateImageInfo", {"identifier": "secret.1", "metadata": "taken over", "matchratio": "1"}),
            ("Statistics", DAYS),
            ("Statistics", {**DAYS, "identifier": "secret.1"}),
            ("FindImage", {}),
        ],
    )
    def test_refused(
        self, server: Server, alice: Caller, bob: Caller, bobs: str, prefix: str, method: str, fields: dict[str, str]
    ) -> None:
        image = photo_of(50) if method in ("AddImage", "FindImage") else None
        answer = server.call(prefix + method, alice, image, channel=bobs, **fields)
        assert answer["returncode"] == 20004
        assert set(answer) == {"returncode", "message"}
        left = server.call("GetImages", bob, channel=bobs)
        assert [(image["identifier"], image["metadata"]) for image in left["images"]] == [("secret.1", "bob's")]

    @pytest.mark.usefixtures("books")
    def test_search_everywhere_stays_at_home(self, server: Server, alice: Caller, bob: Caller, bobs: str) -> None:
        assert server.call("FindImage", alice, photo_of(50), limit=50).get("identifier") is None
        shown = server.call("FindImage", alice, photo_of(50), limit=50)["results"]
        assert bobs not in {result["channel"] for result in shown}
        assert server.call("FindImage", bob, photo_of(50))["identifier"] == "secret.1"

    def test_counts_stay_at_home(self, server: Server, alice: Caller, bob: Caller, bobs: str) -> None:
        server.call("FindImage", bob, photo_of(50), channel=bobs)
        mine = server.call("Statistics", alice, **DAYS)
        assert bobs not in {record["channel"] for record in mine["records"]}
        assert server.code("Statistics", alice, identifier="secret.1", **DAYS) == 20014

    def test_channel_changes_hands(self, server: Server, alice: Caller, bob: Caller) -> None:
        """A channel name that another user takes over shows none of the old counts."""
        make_channel(server.folder, "handed", bob)
        server.call("AddImage", bob, picture(51), channel="handed", identifier="bobs.1")
        server.call("FindImage", bob, photo_of(51), channel="handed")
        with contextlib.closing(Catalogue(server.folder)) as catalogue:
            catalogue.remove_channel("handed")
        assert server.code("GetImages", bob, channel="handed") == 20003
        make_channel(server.folder, "handed", alice)
        assert server.call("Statistics", alice, channel="handed", **DAYS)["records"] == []
        assert server.code("Statistics", alice, channel="handed", identifier="bobs.1", **DAYS) == 20014
        assert server.call("FindImage", alice, photo_of(51), channel="handed") == {"returncode": 0}

    def test_channel_without_owner(self, server: Server, alice: Caller) -> None:
        make_channel(server.folder, "nobodys", None)
        assert server.code("GetImages", alice, channel="nobodys") == 20004


class TestSecrets:
    def test_not_in_logs(self, server: Server, alice: Caller, books: str) -> None:
        """Neither keys nor metadata nor picture bytes, whatever went wrong."""
        server.call(
            "AddImage", alice, b"\xff\xd8\xffPICTURE-BYTES", channel=books, identifier="x.1", metadata="PRIVATE-NOTE"
        )
        server.call("GetImages", None, username=alice.full.username, secretkey="WRONG-SECRET", channel=books)
        server.client.post("/AddImage", content=f"secretkey={alice.full.secretkey}".encode())
        log = server.log_text()
        assert log.count('"request_id"') > 3
        for secret in (alice.full.secretkey, alice.readonly.secretkey, "WRONG-SECRET", "PRIVATE-NOTE", "PICTURE-BYTES"):
            assert secret not in log
        assert alice.full.username not in log

    def test_not_in_the_data_folder(self, server: Server, alice: Caller) -> None:
        stored = b"".join(file.read_bytes() for file in server.folder.rglob("*") if file.is_file())
        assert alice.full.secretkey.encode() not in stored
        assert alice.full.username.encode() in stored

    def test_not_in_representations(self, alice: Caller) -> None:
        assert alice.full.secretkey not in repr(alice)

    def test_wrong_key_costs_the_same(self, server: Server, alice: Caller) -> None:
        """An unknown username and a wrong secret take the same path; neither is much cheaper than a right pair."""
        with contextlib.closing(Catalogue(server.folder)) as catalogue:
            accounts = Accounts(catalogue.database)

            pairs = (alice.full.username, alice.full.secretkey), (alice.full.username, "0" * 64), ("0" * 64, "0" * 64)
            seconds = np.empty((200, 3))
            for row in seconds:  # in turns, and the least of each counts: another process slows all three alike
                for column, (username, secret) in enumerate(pairs):
                    started = time.perf_counter()
                    with contextlib.suppress(WrongCredentials):
                        accounts.verify(username, secret)
                    row[column] = time.perf_counter() - started
        right, wrong, unknown = seconds.min(axis=0)
        assert 0.3 < wrong / right < 3
        assert 0.3 < unknown / right < 3

    def test_keys_are_random(self, alice: Caller, bob: Caller) -> None:
        keys = {alice.full, alice.readonly, bob.full, bob.readonly}
        values = {value for pair in keys for value in (pair.username, pair.secretkey)}
        assert len(values) == 8
        assert all(len(value) == 64 and int(value, 16) for value in values)

    def test_answers_do_not_tell_which_half_is_wrong(self, server: Server, alice: Caller) -> None:
        wrong_secret = server.call("GetImages", username=alice.full.username, secretkey="x", channel="a")
        unknown_user = server.call("GetImages", username="x", secretkey="x", channel="a")
        assert wrong_secret == unknown_user


class TestTricks:
    @pytest.mark.parametrize(
        "value",
        [
            "' OR 1=1 --",
            "../../catalogue.db",
            "a\x00b",
            "\n",
            "books%",
            "%s%s",
            "books;drop table user",
            "\U0001d4eb\U0001d4f8",
        ],
    )
    def test_values(self, server: Server, alice: Caller, books: str, value: str) -> None:
        assert server.code("GetImages", username=value, secretkey=value, channel=books) == 20001
        assert server.code("GetImages", alice, channel=value) == 20003
        assert server.code("GetImage", channel=books, identifier=value) == 20014
        assert server.code("Statistics", alice, channel=books, identifier=value, **DAYS) == 20014

    @pytest.mark.parametrize("path", ["/internal/statistics", "/internal/statistics?first=2020-01-01&last=2100-01-01"])
    def test_internal_path(self, server: Server, path: str) -> None:
        for headers in ({}, {"authorization": "Bearer"}, {"authorization": "Bearer wrong"}):
            assert server.client.get(path, headers=headers).status_code == 404

    @pytest.mark.parametrize(
        "path", ["/..%2f..%2fetc/passwd", "/kivicube/../internal", "/AddImage/x", "/addimage", "//AddImage"]
    )
    def test_paths(self, server: Server, path: str) -> None:
        assert server.client.post(path).status_code in (404, 405)

    def test_request_id(self, server: Server) -> None:
        """A harmless id of a proxy is kept; anything else is replaced."""
        assert (
            server.client.get("/health", headers={"x-request-id": "proxy-1234"}).headers["x-request-id"] == "proxy-1234"
        )
        for bad in ("a b", "x" * 65, "short", "a\tb-long-enough", "<script>alert(1)</script>"):
            assert server.client.get("/health", headers={"x-request-id": bad}).headers["x-request-id"] != bad

    def test_framework_refusals(self, server: Server) -> None:
        """Unknown paths and verbs are JSON with the right status, without details of the machine."""
        missing, wrong_verb = server.client.post("/Nope"), server.client.get("/AddImage")
        assert (missing.status_code, wrong_verb.status_code) == (404, 405)
        assert set(missing.json()) == {"message"}
        assert "POST" in wrong_verb.headers["allow"]

    def test_defaults_are_safe(self) -> None:
        chosen = Settings(_env_file=None)
        assert chosen.host == "127.0.0.1"
        assert chosen.cors_origins == ()
        assert not chosen.auto_create_channel
