"""The pictures of a channel: looking for them, changing many, adding, one by itself."""

from __future__ import annotations

import contextlib
import itertools
import json
import re

import pytest

from engine.catalogue import Catalogue, StoredFeatures
from tests.support.console_pages import Page, Visit
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}'


def names(page: Page) -> list[str]:
    """Identifiers in the order of the page."""
    return [found["title"] for tag, found in page.elements if tag == "a" and found.get("class") == "name"]


def add(visit: Visit, channel: str, *files: tuple[str, bytes], **fields: str) -> Page:
    return visit.submit(visit.get("/console/add", channel=channel).form("/add"), files, **fields)


def uuid_of(server: Server, channel: str, identifier: str) -> str:
    with contextlib.closing(Catalogue(server.folder)) as catalogue:
        return catalogue.picture(channel, identifier).uuid


class TestList:
    def test_grid_and_list(self, user: Visit, shelf: str) -> None:
        page = user.get("/console/pictures", channel=shelf)
        assert names(page) == ["one.1", "three.3", "two.2"]
        assert "3 in shelf" in page.text
        assert "number 2" in user.get("/console/pictures", channel=shelf, view="list").text

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"search": "TWO"}, ["two.2"]),
            ({"search": "number 3"}, ["three.3"]),
            ({"search": "%"}, []),
            ({"search": "_"}, []),
            ({"search": "number"}, ["one.1", "three.3", "two.2"]),
            ({"state": "on"}, ["one.1", "three.3", "two.2"]),
            ({"state": "off"}, []),
            ({"threshold": "own"}, []),
            ({"after": "one.1"}, ["three.3", "two.2"]),
            ({"after": "zzz"}, []),
        ],
    )
    def test_search_and_filters(self, user: Visit, shelf: str, query: dict[str, str], found: list[str]) -> None:
        assert names(user.get("/console/pictures", channel=shelf, **query)) == found

    def test_level(self, user: Visit, shelf: str) -> None:
        by_level = [names(user.get("/console/pictures", channel=shelf, level=n)) for n in range(1, 6)]
        assert sorted(itertools.chain(*by_level)) == ["one.1", "three.3", "two.2"]

    def test_never_matched(self, console: Server, user: Visit, ann: Caller, box: str) -> None:
        for seed in (1, 2):
            assert console.code("AddImage", ann, picture(seed), channel=box, identifier=f"seed.{seed}") == 0
        assert console.call("FindImage", ann, photo_of(2), channel=box)["identifier"] == "seed.2"
        assert names(user.get("/console/pictures", channel=box, matched="never")) == ["seed.1"]

    def test_only_the_found_part_for_htmx(self, user: Visit, shelf: str) -> None:
        headers = {"hx-request": "true"}
        text = user.client.get("/console/pictures", params={"channel": shelf}, headers=headers).text
        assert 'id="found"' in text
        assert "<header" not in text

    @pytest.mark.parametrize("query", [{"after": "../x"}, {"level": "9"}, {"level": "x"}])
    def test_bad_queries(self, user: Visit, shelf: str, query: dict[str, str]) -> None:
        assert user.get("/console/pictures", channel=shelf, **query).status == 400

    @pytest.mark.usefixtures("bens")
    def test_no_channel(self, other: Visit) -> None:
        """The first of the visitor's own."""
        assert names(other.get("/console/pictures")) == ["hidden.1"]


class TestPaging:
    def test_by_key(self, console: Server, user: Visit, shelf: str, box: str) -> None:
        """Every picture is on one page, in order, and the last page ends."""
        with contextlib.closing(Catalogue(console.folder)) as catalogue:
            (_, _, _, keypoints, vector), *_ = catalogue.features([catalogue.picture(shelf, "one.1").id])
            features = StoredFeatures(keypoints=keypoints, vector=vector)
            for n in range(130):
                facts = {"level": 3, "size": (360, 480), "keypoints": 400, "active": False}
                catalogue.add_picture(box, f"made.{n:04}", features, **facts)  # type: ignore[arg-type]
        seen: list[str] = []
        page = user.get("/console/pictures", channel=box)
        while True:
            seen += names(page)
            further = [found["href"] for tag, found in page.elements if found.get("rel") == "next" and tag == "a"]
            if not further:
                break
            page = user.get(further[0])
        assert seen == [f"made.{n:04}" for n in range(130)]


class TestMany:
    @pytest.fixture
    def filled(self, console: Server, ann: Caller, box: str) -> str:
        for seed in (1, 2, 3):
            assert console.code("AddImage", ann, picture(seed), channel=box, identifier=f"seed.{seed}") == 0
        return box

    def act(self, visit: Visit, server: Server, channel: str, action: str, *identifiers: str, **more: str) -> Page:
        form = visit.get("/console/pictures", channel=channel).form("/many")
        picked = {f"pick.{uuid_of(server, channel, identifier)}": "1" for identifier in identifiers}
        return visit.submit(form, action=action, **picked, **more)

    def test_switching(self, console: Server, user: Visit, ann: Caller, filled: str) -> None:
        self.act(user, console, filled, "off", "seed.1", "seed.2")
        assert names(user.get("/console/pictures", channel=filled, state="off")) == ["seed.1", "seed.2"]
        assert "identifier" not in console.call("FindImage", ann, photo_of(1), channel=filled)
        self.act(user, console, filled, "on", "seed.1")
        assert console.call("FindImage", ann, photo_of(1), channel=filled)["identifier"] == "seed.1"

    def test_threshold(self, console: Server, user: Visit, ann: Caller, filled: str) -> None:
        self.act(user, console, filled, "threshold", "seed.3", threshold="99,5")
        assert console.call("GetImage", ann, channel=filled, identifier="seed.3")["matchratio"] == 99.5
        assert names(user.get("/console/pictures", channel=filled, threshold="own")) == ["seed.3"]
        self.act(user, console, filled, "threshold", "seed.3", threshold="")
        assert names(user.get("/console/pictures", channel=filled, threshold="own")) == []
        for wrong in ("101", "-1", "x", "nan"):
            assert self.act(user, console, filled, "threshold", "seed.3", threshold=wrong).status == 400

    def test_removing_is_asked_for_once_more(self, console: Server, user: Visit, ann: Caller, filled: str) -> None:
        page = self.act(user, console, filled, "remove", "seed.1", "seed.3")
        assert "Remove these pictures? 2" in page.text
        assert console.call("GetImages", ann, channel=filled)["totalcount"] == 3
        user.submit(page.form("/many"), action="remove")
        left = [image["identifier"] for image in console.call("GetImages", ann, channel=filled)["images"]]
        assert left == ["seed.2"]
        assert "identifier" not in console.call("FindImage", ann, photo_of(1), channel=filled)

    def test_of_another_user(self, console: Server, user: Visit, bens: str, filled: str) -> None:
        """Neither by the channel's name nor by slipping a picture among one's own."""
        form = user.get("/console/pictures", channel=filled).form("/many")
        theirs = {f"pick.{uuid_of(console, bens, 'hidden.1')}": "1", "action": "remove", "sure": "yes"}
        assert user.submit(form, **theirs, channel=bens).status == 404
        user.submit(form, **theirs)
        assert uuid_of(console, bens, "hidden.1")

    @pytest.mark.parametrize("action", ["", "drop", "off; drop"])
    def test_unknown_actions(self, console: Server, user: Visit, filled: str, action: str) -> None:
        assert self.act(user, console, filled, action, "seed.1").status == 400

    def test_nothing_picked(self, console: Server, user: Visit, filled: str) -> None:
        assert self.act(user, console, filled, "off").path == "/console/pictures"
        assert names(user.get("/console/pictures", channel=filled, state="off")) == []


class TestAdding:
    def test_one(self, console: Server, user: Visit, ann: Caller, box: str) -> None:
        page = add(user, box, ("cover.jpg", picture(4)), identifier="named.4", metadata="about it")
        assert "Added: named.4" in page.text
        told = console.call("GetImage", ann, channel=box, identifier="named.4")
        assert told["metadata"] == "about it"
        assert console.call("FindImage", ann, photo_of(4), channel=box)["identifier"] == "named.4"

    def test_many_with_a_line_for_each(self, user: Visit, box: str) -> None:
        """One that is refused stops none of the others; sent again, what is there is passed over."""
        files = [
            ("C:\\pictures\\a b.jpg", picture(1)),
            ("plain.png", flat()),
            ("text.jpg", b"no image"),
            ("huge.jpg", b"\xff\xd8\xff" + b"x" * 500_000),
            ("cut.jpg", picture(2)[:2000]),
            ("\u753b.jpg", picture(3)),
        ]
        page = add(user, box, *files)
        lines = [found["class"] for tag, found in page.elements if tag == "li"]
        assert lines == ["added", "refused", "refused", "refused", "refused", "added"]
        assert "a b.jpg" in page.text
        assert names(user.get("/console/pictures", channel=box)) == ["___", "a_b"]
        again = add(user, box, *files)
        assert next(found["class"] for tag, found in again.elements if tag == "li") == "present"
        assert names(user.get("/console/pictures", channel=box)) == ["___", "a_b"]

    def test_a_name_that_is_taken(self, user: Visit, box: str) -> None:
        """Of another file it gets a number; one that was typed in is refused."""
        add(user, box, ("same.jpg", picture(1)))
        assert "Added: same_2" in add(user, box, ("same.jpg", picture(2))).text
        assert "exists already" in add(user, box, ("x.jpg", picture(3)), identifier="same").text

    def test_as_json(self, user: Visit, box: str) -> None:
        """As the page's script asks for it."""
        parts = {"csrf": (None, user.token), "channel": (None, box), "image": ("one.jpg", picture(1), "image/jpeg")}
        answer = user.client.post("/console/add", files=parts, headers={"accept": "application/json"})
        (line,) = answer.json()
        assert (line["state"], line["identifier"]) == ("added", "one")

    def test_quota(self, operator: Visit, user: Visit, box: str) -> None:
        form = operator.get("/console/channels/one", channel=box).form("/quota")
        operator.submit(form, quota="1")
        page = add(user, box, ("one.jpg", picture(1)), ("two.jpg", picture(2)))
        assert "its quota is reached" in page.text

    def test_by_the_operator(self, operator: Visit, box: str) -> None:
        assert "Added: mine" in add(operator, box, ("mine.jpg", picture(1))).text

    def test_nothing_chosen(self, user: Visit, box: str) -> None:
        assert "No file was chosen" in add(user, box, ("", b"")).text

    def test_in_another_users_channel(self, user: Visit, box: str, bens: str) -> None:
        form = user.get("/console/add", channel=box).form("/add")
        assert user.submit(form, [("x.jpg", picture(1))], channel=bens).status == 404

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"", "multipart/form-data; boundary=x"),
            (b"nonsense", "multipart/form-data; boundary=x"),
            (b"--x\r\n", "multipart/form-data"),
            (b"a=b", "application/x-www-form-urlencoded"),
            (b"{}", "application/json"),
        ],
    )
    def test_broken_bodies(self, user: Visit, body: bytes, kind: str) -> None:
        answer = user.client.post("/console/add", content=body, headers={"content-type": kind})
        assert answer.status_code in (400, 403)

    def test_far_more_than_memory(self, user: Visit, box: str) -> None:
        """Files that are thrown away one by one."""
        files = [(f"{n}.jpg", b"\xff\xd8\xff" + b"x" * 2_000_000) for n in range(20)]
        page = add(user, box, *files)
        assert page.text.count("The file is too large") == 20


class TestOne:
    def test_page(self, console: Server, user: Visit, shelf: str) -> None:
        uuid = uuid_of(console, shelf, "two.2")
        page = user.get(f"/console/pictures/{uuid}")
        assert "two.2" in page.text
        assert page.form(f"/{uuid}").fields["metadata"] == "number 2"
        assert sum(tag == "circle" for tag, _ in page.elements) > 100
        for name in ("picture.jpg", "thumb.jpg"):
            image = user.client.get(f"/console/pictures/{uuid}/{name}")
            assert (image.status_code, image.headers["content-type"]) == (200, "image/jpeg")
            assert image.content.startswith(b"\xff\xd8\xff")

    def test_changing(self, console: Server, user: Visit, ann: Caller, box: str) -> None:
        add(user, box, ("mine.jpg", picture(1)), metadata="before")
        uuid = uuid_of(console, box, "mine")
        form = user.get(f"/console/pictures/{uuid}").form(f"/{uuid}")
        assert form.fields["active"] == "on"
        del form.fields["active"]
        user.submit(form, metadata="after\r\nthat", threshold="12.5")
        told = console.call("GetImage", ann, channel=box, identifier="mine")
        assert (told["metadata"], told["matchratio"]) == ("after\nthat", 12.5)
        assert "identifier" not in console.call("FindImage", ann, photo_of(1), channel=box)

    def test_long_metadata_stays(self, console: Server, user: Visit, ann: Caller, box: str) -> None:
        """It is shown in part, and a change of the rest does not cut it."""
        long = "m" * 100_000
        assert console.code("AddImage", ann, picture(1), channel=box, identifier="long.1", metadata=long) == 0
        uuid = uuid_of(console, box, "long.1")
        page = user.get(f"/console/pictures/{uuid}")
        assert len(page.response.text) < 100_000
        user.submit(page.form(f"/{uuid}"), threshold="50")
        assert console.call("GetImage", ann, channel=box, identifier="long.1")["metadata"] == long

    def test_sisters(self, console: Server, user: Visit, box: str) -> None:
        add(user, box, ("one.jpg", picture(1)), ("copy.jpg", photo_of(1)), ("other.jpg", picture(2)))
        page = user.get(f"/console/pictures/{uuid_of(console, box, 'one')}/sisters")
        assert [n["class"] for t, n in page.elements if t == "li" and "tile" in n.get("class", "")] == ["tile"]
        assert "copy" in page.text
        assert "No other picture" in user.get(f"/console/pictures/{uuid_of(console, box, 'other')}/sisters").text

    @pytest.mark.parametrize("suffix", ["", "/sisters", "/picture.jpg", "/thumb.jpg"])
    def test_of_another_user(self, console: Server, user: Visit, operator: Visit, bens: str, suffix: str) -> None:
        uuid = uuid_of(console, bens, "hidden.1")
        assert user.get(f"/console/pictures/{uuid}{suffix}").status == 404
        assert operator.get(f"/console/pictures/{uuid}{suffix}").status == 200

    @pytest.mark.parametrize("uuid", ["x", "..", "%2e%2e", "'; drop table picture --", "\u00e9", "a" * 3000])
    def test_no_such(self, user: Visit, uuid: str) -> None:
        assert user.get(f"/console/pictures/{uuid}").status in (404, 200)
        assert user.post(f"/console/pictures/{uuid}", {"csrf": user.token}).status in (403, 404, 405)


class TestHostileTexts:
    def test_are_shown_as_texts(self, console: Server, user: Visit, ann: Caller, box: str) -> None:
        """Metadata, searches, names of files: whatever they hold, the page's own elements are all there is."""
        assert console.code("AddImage", ann, picture(1), channel=box, identifier="evil.1", metadata=HOSTILE) == 0
        uuid = uuid_of(console, box, "evil.1")
        pages = [
            user.get(f"/console/pictures/{uuid}"),
            user.get("/console/pictures", channel=box, view="list"),
            user.get("/console/pictures", channel=box, search=HOSTILE),
            add(user, box, (f"{HOSTILE}.jpg", flat())),
            user.get("/console/statistics", identifier=HOSTILE),
            user.get("/console/pictures", channel=HOSTILE),
            user.get(f"/console/{HOSTILE}"),
        ]
        for page in pages:
            scripts = [found for tag, found in page.elements if tag == "script"]
            assert all(found.get("src", "").startswith("/console/assets/") for found in scripts)
            assert not [name for _, found in page.elements for name in found if name.startswith("on")]
            assert "49" not in re.findall(r"onerror=alert\(1\)>(\d+)", page.response.text)
        assert pages[0].form(f"/{uuid}").fields["metadata"] == HOSTILE


def test_a_pages_answer_in_json(user: Visit) -> None:
    """A script's refusal tells why."""
    answer = user.client.get("/console/pictures/none", headers={"accept": "application/json"})
    assert answer.status_code == 404
    assert json.loads(answer.text) == {"error": "There is no such picture."}
