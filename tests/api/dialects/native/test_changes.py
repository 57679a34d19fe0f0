"""GET /v1/changes: the log as a client follows it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.catalogue import log
from tests.support.drawn_pictures import picture
from tests.support.running_server import Caller, Server, make_channel


def ask(server: Server, who: Caller, **parameters: Any) -> dict[str, Any]:
    keys = (who.full.username, who.full.secretkey)
    response = server.client.get("/v1/changes", params=parameters, auth=keys)
    assert response.status_code == 200, response.text
    return response.json()


def test_followed(server: Server, alice: Caller, channel: str) -> None:
    """Added, changed and removed, each once, in order; what is gone has its number alone; then nothing more."""
    start = ask(server, alice, after=0, channel=channel)["next"]
    for seed, name in enumerate(("one.1", "two.2"), start=1):
        assert server.code("AddImage", alice, picture(seed), channel=channel, identifier=name) == 0
    assert server.code("UpdateImageInfo", alice, channel=channel, identifier="one.1", metadata="new") == 0
    assert server.code("RemoveImage", alice, channel=channel, identifier="two.2") == 0
    page = ask(server, alice, after=start, channel=channel)
    told = [(entry["change"], entry.get("identifier")) for entry in page["changes"]]
    assert told == [("added", "one.1"), ("added", None), ("changed", "one.1"), ("removed", None)]
    first, second, changed, removed = page["changes"]
    assert (first["picture"], first["uuid"]) == (changed["picture"], changed["uuid"])
    assert second["picture"] == removed["picture"]
    assert {entry["channel"] for entry in page["changes"]} == {channel}
    assert [entry["seq"] for entry in page["changes"]] == sorted({entry["seq"] for entry in page["changes"]})
    assert page["more"] is False
    again = ask(server, alice, after=page["next"], channel=channel)
    assert again == {"changes": [], "next": page["next"], "more": False}


def test_page_by_page(server: Server, alice: Caller, channel: str) -> None:
    for seed in range(5):
        assert server.code("AddImage", alice, picture(seed), channel=channel, identifier=f"pic.{seed}") == 0
    seen, after, more = [], 0, True
    while more:
        page = ask(server, alice, after=after, limit=2, channel=channel)
        seen += [entry["identifier"] for entry in page["changes"]]
        assert len(page["changes"]) <= 2
        after, more = page["next"], page["more"]
    assert seen == [f"pic.{seed}" for seed in range(5)]


def test_only_ones_own(server: Server, alice: Caller, bob: Caller, books: str, bobs: str) -> None:
    mine, theirs = ask(server, alice), ask(server, bob)
    assert books in {entry["channel"] for entry in mine["changes"]}
    assert bobs not in {entry["channel"] for entry in mine["changes"]}
    assert bobs in {entry["channel"] for entry in theirs["changes"]}
    assert books not in {entry["channel"] for entry in theirs["changes"]}


def test_a_channel_that_is_new(server: Server, alice: Caller) -> None:
    """An empty one tells nothing."""
    name = make_channel(server.folder, "followed.empty", alice)
    page = ask(server, alice, channel=name)
    assert page["changes"] == []
    assert page["more"] is False


@pytest.mark.parametrize(
    "asked",
    [{"after": "-1"}, {"after": "x"}, {"after": ""}, {"after": "9" * 30}, {"limit": "0"}, {"limit": "1001"}],
)
def test_malformed(server: Server, alice: Caller, asked: dict[str, str]) -> None:
    response = server.client.get("/v1/changes", params=asked, auth=(alice.full.username, alice.full.secretkey))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_value")


def test_who_may_ask(server: Server, alice: Caller, bobs: str) -> None:
    """The full pair alone: the read-only one lies in clients' hands."""
    for keys, parameters, expected in (
        (None, {}, (401, "wrong_credentials")),
        ((alice.readonly.username, alice.readonly.secretkey), {}, (401, "wrong_credentials")),
        ((alice.full.username, alice.full.secretkey), {"channel": bobs}, (403, "foreign_channel")),
        ((alice.full.username, alice.full.secretkey), {"channel": "none"}, (404, "channel_not_found")),
    ):
        response = server.client.get("/v1/changes", params=parameters, auth=keys)
        assert (response.status_code, response.json()["error"]) == expected


def test_windows_of_the_log(monkeypatch: pytest.MonkeyPatch, server: Server, alice: Caller) -> None:
    """A channel whose entries lie far apart is followed over windows that hold none of its own."""
    from engine.catalogue import Catalogue

    monkeypatch.setattr(log, "FOLLOWED_AT_ONCE", 2)
    name = make_channel(server.folder, "followed.apart", alice)
    other = make_channel(server.folder, "followed.other", alice)
    for number in range(6):
        target = name if number in (0, 5) else other
        assert server.code("AddImage", alice, picture(number), channel=target, identifier=f"pic.{number}") == 0
    catalogue = Catalogue(server.folder, read_only=True)
    found, after, windows = [], 0, 0
    while after < catalogue.last_seq():
        page, after = catalogue.follow([catalogue.channel(name)], after=after)
        found += [entry.identifier for entry in page]
        windows += 1
    assert catalogue.follow([], after=after) == ([], after)
    catalogue.close()
    assert found == ["pic.0", "pic.5"]
    assert windows > 3
