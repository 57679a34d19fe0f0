"""Try: what a photo shows, for who has signed in and, where the operator allows it, for everybody."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.support import service_commands
from tests.support.console_pages import Page, Visit
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server

DAYS = {"startdate": "2020", "enddate": "2100"}


def tried(visit: Visit, photo: bytes, channel: str = "") -> Page:
    page = visit.get("/console/try")
    form = page.form("/console/try")
    assert page.attributes("type").count("file") == 1
    return visit.submit(form, [("photo.jpg", photo)], channel=channel)


def counted(server: Server, caller: Caller, channel: str) -> int:
    return sum(r["count"] for r in server.call("Statistics", caller, channel=channel, **DAYS)["records"])


class TestTry:
    def test_answered(self, user: Visit, shelf: str) -> None:
        """The outline, the reasons, the times, and the same request for programs."""
        page = tried(user, photo_of(2), shelf)
        assert page.identifier == "two.2"
        tags = [tag for tag, _ in page.elements]
        assert "polygon" in tags
        assert page.response.text.count("data:image/jpeg;base64,") >= 2
        assert "points agree on one outline" in page.text
        assert "describe" in page.text
        for word in ("/FindImage", "/search", "curl", "httpx", "FormData"):
            assert word in page.text

    def test_several(self, console: Server, user: Visit, ann: Caller, box: str) -> None:
        """An outline around each picture of the photo, by its name; each counts once."""
        for seed in (41, 42):
            assert console.code("AddImage", ann, picture(seed), channel=box, identifier=f"part.{seed}") == 0
        pair = [cv2.imdecode(np.frombuffer(photo_of(seed), np.uint8), cv2.IMREAD_COLOR) for seed in (41, 42)]
        photo = cv2.imencode(".jpg", np.hstack(pair))[1].tobytes()
        form = user.get("/console/try").form("/console/try")
        page = user.submit(form, [("photo.jpg", photo)], channel=box, several="on")
        outlines = [tag for tag, _ in page.elements if tag == "polygon"]
        assert len(outlines) >= 2
        assert "part.41" in page.text
        assert "part.42" in page.text
        assert page.identifier in ("part.41", "part.42")
        assert counted(console, ann, box) == 2

    def test_missed(self, user: Visit, shelf: str) -> None:
        page = tried(user, photo_of(90), shelf)
        assert page.identifier == ""
        assert "Nothing matched" in page.text

    @pytest.mark.parametrize("who", ["user", "reader", "operator"])
    @pytest.mark.usefixtures("shelf")
    def test_in_all_channels(self, request: pytest.FixtureRequest, who: str) -> None:
        assert tried(request.getfixturevalue(who), photo_of(3)).identifier == "three.3"

    @pytest.mark.usefixtures("shelf")
    def test_in_no_one_elses(self, user: Visit, operator: Visit, bens: str) -> None:
        assert tried(user, photo_of(50)).identifier == ""
        assert tried(user, photo_of(50), bens).status == 404
        assert tried(operator, photo_of(50)).identifier == "hidden.1"

    def test_counts_as_any_clients_search(
        self, console: Server, user: Visit, operator: Visit, ann: Caller, box: str
    ) -> None:
        assert console.code("AddImage", ann, picture(7), channel=box, identifier="seven") == 0
        tried(user, photo_of(7), box)
        tried(operator, photo_of(7), box)
        tried(user, photo_of(90), box)
        assert counted(console, ann, box) == 2

    def test_frames(self, console: Server, user: Visit, ann: Caller, box: str) -> None:
        """JSON; one that shows what was seen already does not count again."""
        assert console.code("AddImage", ann, picture(8), channel=box, identifier="eight") == 0

        def frame(photo: bytes, seen: str) -> dict:
            files = {name: (None, v) for name, v in {"csrf": user.token, "channel": box, "seen": seen}.items()}
            answer = user.client.post("/console/try/frame", files={**files, "image": ("f.jpg", photo, "image/jpeg")})
            assert answer.status_code == 200
            return answer.json()

        for seen in ("", "eight", "eight"):
            found = frame(photo_of(8), seen)
            assert (found["identifier"], len(found["quad"]), found["photo_size"]) == ("eight", 4, [520, 640])
        assert counted(console, ann, box) == 1
        assert frame(photo_of(90), "eight")["identifier"] == ""

    @pytest.mark.parametrize(
        ("photo", "status"), [(b"", 400), (b"no image", 422), (flat(), 422), (b"\xff\xd8\xff" + b"x" * 900_000, 413)]
    )
    def test_refused(self, user: Visit, shelf: str, photo: bytes, status: int) -> None:
        page = tried(user, photo, shelf)
        assert page.status == status
        assert page.attributes("data-identifier") == []

    def test_a_huge_upload(self, user: Visit) -> None:
        """Read away and refused, not kept; the visitor stays signed in."""
        assert tried(user, b"\xff\xd8\xff" + bytes(30_000_000)).status == 413
        assert user.get("/console").path == "/console"


class TestOpenToAll:
    @pytest.fixture
    def window(self, console: Server, ann: Caller, box: str) -> str:
        assert console.code("AddImage", ann, picture(9), channel=box, identifier="nine", metadata="told to nobody") == 0
        service_commands.run("channel", "try", box, "--on", "--data", str(console.folder))
        return box

    def test_finds(self, console: Server, stranger: Visit, ann: Caller, window: str) -> None:
        for address in (f"/try/{window}", f"/try?channel={window}"):
            page = stranger.get(address)
            assert page.status == 200
            found = stranger.submit(page.form("/try"), [("photo.jpg", photo_of(9))])
            assert found.identifier == "nine"
            assert "told to nobody" not in found.response.text
        assert stranger.submit(page.form("/try"), [("photo.jpg", photo_of(90))]).identifier == ""
        assert counted(console, ann, window) == 2

    def test_frames(self, stranger: Visit, window: str) -> None:
        files = {"seen": (None, ""), "image": ("f.jpg", photo_of(9), "image/jpeg")}
        answer = stranger.client.post(f"/try/{window}/frame", files=files).json()
        assert answer["identifier"] == "nine"

    def test_closed_again(self, console: Server, stranger: Visit, operator: Visit, window: str) -> None:
        service_commands.run("channel", "try", window, "--off", "--data", str(console.folder))
        assert stranger.get(f"/try/{window}").status == 404
        assert stranger.post(f"/try/{window}", {}, [("p.jpg", photo_of(9))]).status == 404
        assert stranger.post(f"/try/{window}/frame", {}, [("p.jpg", photo_of(9))]).status == 404
        page = operator.get("/console/channels/one", channel=window)
        opened = operator.submit(page.form("/channels/try"), open="on")
        assert "segno" in opened.attributes("class")
        assert stranger.get(f"/try/{window}").status == 200

    @pytest.mark.parametrize("name", ["none", "..", "%2e%2e%2f", "a b", "x" * 100, "\u00e9"])
    def test_no_such(self, stranger: Visit, name: str) -> None:
        assert stranger.get(f"/try?channel={name}").status == 404

    def test_closed_channels_are_not_told_from_missing_ones(self, stranger: Visit, shelf: str) -> None:
        closed, missing = stranger.get(f"/try/{shelf}"), stranger.get("/try/never-there")
        assert closed.text == missing.text

    def test_is_the_operators_to_open(self, user: Visit, shelf: str) -> None:
        fields = {"csrf": user.token, "channel": shelf, "open": "on"}
        assert user.post("/console/channels/try", fields).status == 403

    def test_a_disabled_owner(self, console: Server, stranger: Visit) -> None:
        data = ("--data", str(console.folder))
        service_commands.run("user", "add", "leaver", *data)
        service_commands.run("channel", "add", "leavers", "--user", "leaver", *data)
        service_commands.run("channel", "try", "leavers", "--on", *data)
        assert stranger.get("/try/leavers").status == 200
        service_commands.run("user", "disable", "leaver", *data)
        assert stranger.get("/try/leavers").status == 404
