"""The page of missed photos: what is kept, what is grouped, and what becomes a picture."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from api.rules.misses import EVERY_SECONDS
from tests.api.console.conftest import signed_in
from tests.support.browser import MISSING, chromium, watched_page
from tests.support.console_pages import Visit
from tests.support.drawn import encoded, poster
from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server, make_channel, make_user, serving


def seen(seed: int, *, shift: int = 0) -> bytes:
    """The poster on another table, from another side, with a camera's notes."""
    to_photo = np.array([[0.8, -0.1, 90.0 + shift], [0.1, 0.85, 40.0], [5e-5, 1e-4, 1.0]])
    ground = cv2.resize(cv2.GaussianBlur(poster(seed + 500), (0, 0), 25), (560, 620))
    photo = cv2.warpPerspective(poster(seed), to_photo, (560, 620), ground, borderMode=cv2.BORDER_TRANSPARENT)
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    buffer = io.BytesIO()
    Image.open(io.BytesIO(encoded(photo, ".jpg"))).save(buffer, "JPEG", exif=exif, quality=92)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("keeping")
    with serving(folder / "data", log=folder / "log", keep_misses_hours=2, frame_seconds=0) as running:
        yield running
        assert "unexpected failure" not in running.log_text()


@pytest.fixture(scope="module")
def carl(keeping: Server) -> Caller:
    """With two misses of poster 7, one of poster 8, and photos that are not kept: an answered one, one that shows
    nothing, and one that came too soon."""
    user = make_user(keeping.folder, "carl")
    make_channel(keeping.folder, "posters", user)
    added = keeping.code("AddImage", user, picture(1), channel="posters", identifier="one.1")
    assert added == 0
    for photo in (photo_of(7), seen(7), photo_of(8)):
        assert "identifier" not in keeping.call("FindImage", user, photo, channel="posters")
        assert "identifier" not in keeping.call("FindImage", user, photo_of(9), channel="posters")
        time.sleep(EVERY_SECONDS + 0.1)
    assert keeping.call("FindImage", user, photo_of(1), channel="posters")["identifier"] == "one.1"
    assert keeping.code("FindImage", user, flat(), channel="posters") == 20013
    return user


@pytest.fixture(scope="module")
def visit(keeping: Server, carl: Caller) -> Iterator[Visit]:
    made = signed_in(keeping, **carl.fields)
    for _ in range(100):
        if len(groups(made)) == 2:
            break
        time.sleep(0.1)
    yield made
    made.close()


def groups(visit: Visit) -> list[str]:
    return visit.get("/console/misses").attributes("data-miss")


def test_grouped(visit: Visit) -> None:
    """What shows the same stands together, most photos first; the part on which they agree is marked."""
    page = visit.get("/console/misses")
    assert len(groups(visit)) == 2
    assert "2 photos" in page.text
    assert page.text.index("2 photos") < page.text.index("1 photos")
    form = next(form for form in page.forms if form.action.endswith("/misses/add"))
    box = [int(form.fields[side]) for side in ("left", "top", "right", "bottom")]
    assert 0 < box[0] < box[2] < 100
    assert 0 < box[1] < box[3] < 100
    assert visit.get("/console").attributes("href").count("/console/misses") == 1


def test_photos(visit: Visit, keeping: Server, carl: Caller) -> None:
    """Small, without the camera's notes, and only their sender's."""
    address = next(a for a in visit.get("/console/misses").attributes("src") if "/misses/" in a)
    answer = visit.client.get(address)
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as photo:
        assert max(photo.size) <= 640
        assert not photo.getexif()
    other = signed_in(keeping, **make_user(keeping.folder, "dora").fields)
    assert other.client.get(address).status_code == 404
    assert other.client.get(f"/console/misses/{10**30}/photo.jpg").status_code == 404
    assert other.client.get(f"/console/misses/-{10**30}/photo.jpg").status_code == 404
    assert groups(other) == []
    answer = other.post("/console/misses/remove", {"csrf": other.token, "miss": address.split("/")[-2]})
    assert answer.status == 404
    other.close()
    reader = signed_in(keeping, **carl.reading.fields)
    assert len(groups(reader)) == 2
    assert not [form for form in reader.get("/console/misses").forms if "/misses/" in form.action]
    assert reader.post("/console/misses/remove", {"csrf": reader.token, "miss": "1"}).status == 403
    reader.close()


@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_drawing_the_part(keeping: Server, carl: Caller, visit: Visit, tmp_path: Path) -> None:
    """With the pointer: the marked part follows, and so do the numbers that are sent."""
    assert len(groups(visit)) == 2
    with chromium(tmp_path / "no film") as browser, watched_page(browser, keeping.base) as page:
        page.goto("/console")
        for name, value in carl.fields.items():
            page.fill(f"[name={name}]", value)
        page.press("[name=secretkey]", "Enter")
        page.wait_for_url("**/console")
        page.goto("/console/misses")
        photo = page.locator("[data-crop]").first
        box = photo.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
        page.mouse.up()
        sides = [int(page.locator(f"[name={side}]").first.input_value()) for side in ("left", "top", "right", "bottom")]
        assert np.abs(np.array(sides) - [20, 30, 70, 90]).max() <= 1
        rect = photo.locator("rect")
        assert (rect.get_attribute("x"), rect.get_attribute("width")) == (str(sides[0]), str(sides[2] - sides[0]))


def test_refused(visit: Visit) -> None:
    form = next(form for form in visit.get("/console/misses").forms if form.action.endswith("/misses/add"))
    for changed, status in (
        ({"identifier": "a/b"}, 400),
        ({"identifier": "one.1"}, 400),
        ({"identifier": "new.1", "left": "x"}, 400),
        ({"identifier": "new.1", "left": "90", "right": "10"}, 400),
        ({"identifier": "new.1", "miss": "99999"}, 404),
        ({"identifier": "new.1", "miss": "-1"}, 400),
        ({"identifier": "new.1", "channel": "none"}, 404),
        ({"identifier": "new.1", "left": "0", "right": "2", "top": "0", "bottom": "2"}, 422),
    ):
        assert visit.post(form.action, {**form.fields, **changed}).status == status, changed
    assert len(groups(visit)) == 2


def test_added_and_forgotten(visit: Visit, keeping: Server, carl: Caller) -> None:
    """The marked part becomes a picture that the next photo finds; its group is gone, as is one that is forgotten."""
    form = next(form for form in visit.get("/console/misses").forms if form.action.endswith("/misses/add"))
    page = visit.post(form.action, {**form.fields, "identifier": "seven.7"})
    assert page.path.startswith("/console/pictures/")
    assert "seven.7" in page.text
    assert keeping.call("FindImage", carl, seen(7, shift=12), channel="posters")["identifier"] == "seven.7"
    assert len(groups(visit)) == 1
    form = next(form for form in visit.get("/console/misses").forms if form.action.endswith("/misses/remove"))
    assert visit.post(form.action, form.fields).path == "/console/misses"
    assert groups(visit) == []
    assert "There are none." in visit.get("/console/misses").text


def test_off(user: Visit, console: Server) -> None:
    """As it is unless the operator chose it: no file, no link, and the page says which setting it is."""
    assert "keep_misses_hours" in user.get("/console/misses").text
    assert "/console/misses" not in user.get("/console").attributes("href")
    assert not (console.folder / "misses.db").exists()
    assert user.client.get("/console/misses/1/photo.jpg").status_code == 404
