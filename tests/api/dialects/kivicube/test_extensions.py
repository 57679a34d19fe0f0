"""What the vendor's calls lack: images by their address, and mirrored photos."""

from __future__ import annotations

import http.server
from collections.abc import Iterator

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.support.drawn_pictures import photo_of, picture
from tests.support.made_images import saved
from tests.support.running_server import Caller, Server, make_channel, make_user, serving
from tests.support.web import told, web

FILES = {"/one.jpg": picture(1), "/photo.jpg": photo_of(1), "/text.txt": b"no image", "/large.jpg": bytes(1_000_001)}


def serve_file(request: http.server.BaseHTTPRequestHandler) -> None:
    body = FILES.get(request.path)
    told(request, body or b"", status=200 if body else 404)


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    with web(serve_file) as base:
        yield base


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fetching")
    chosen = {"formats": "jpeg, PNG,webp,AVIF,HEIC,GIF,TIFF,BMP", "max_image_bytes": 1_000_000}
    chosen |= {"image_url": True, "image_url_hosts": "127.0.0.1"}
    with serving(folder / "data", log=folder / "log", **chosen) as running:
        yield running


@pytest.fixture(scope="module")
def carol(fetching: Server) -> Caller:
    user = make_user(fetching.folder, "carol")
    make_channel(fetching.folder, "fetched", user)
    return user


class TestImageUrl:
    def test_added_and_found(self, fetching: Server, carol: Caller, files: str) -> None:
        where = {"channel": "fetched", "identifier": "one.1"}
        assert fetching.code("AddImage", carol, **where, image_url=f"{files}/one.jpg") == 0
        found = fetching.call("FindImage", carol, image_url=f"{files}/photo.jpg", channel="fetched")
        assert found["identifier"] == "one.1"
        keys = (carol.full.username, carol.full.secretkey)
        form = {"image_url": f"{files}/photo.jpg", "picture_url": f"{files}/one.jpg"}
        parts = [(name, (None, value)) for name, value in form.items()]
        assert fetching.client.post("/v1/compare", files=parts, auth=keys).json()["same"] is True

    def test_refused(self, fetching: Server, carol: Caller, files: str) -> None:
        """In the contract's order: who asks, where, and the values come first; nothing is added."""
        asked = {"channel": "fetched", "identifier": "two.2"}
        for url, code in (
            (f"{files}/none.jpg", 20010),
            ("http://localhost/", 20010),
            ("file:///etc/passwd", 20010),
            (f"{files}/text.txt", 20007),
            (f"{files}/large.jpg", 20006),
            ("", 20005),
        ):
            assert fetching.code("AddImage", carol, **asked, image_url=url) == code
            assert fetching.code("FindImage", carol, image_url=url) == code
        both = fetching.code("AddImage", carol, picture(1), **asked, image_url=f"{files}/one.jpg")
        assert both == 20010
        wrong = {"image_url": "http://localhost/", "channel": "none"}
        assert fetching.code("AddImage", None, **wrong) == 20001
        assert fetching.code("AddImage", carol, **{**asked, **wrong}) == 20003
        assert fetching.code("GetImage", channel="fetched", identifier="two.2") == 20014

    def test_off(self, server: Server, alice: Caller, files: str) -> None:
        """As it is unless it was switched on: the field is one that nobody knows."""
        assert server.code("FindImage", alice, image_url=f"{files}/photo.jpg") == 20005
        assert server.code("FindImage", alice, photo_of(1), image_url=f"{files}/photo.jpg") == 0


class TestMirrored:
    @pytest.fixture
    def mirrored(self) -> bytes:
        photo = cv2.imdecode(np.frombuffer(photo_of(1), np.uint8), cv2.IMREAD_COLOR)
        return cv2.imencode(".jpg", photo[:, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    def test_asked_for(self, server: Server, alice: Caller, books: str, mirrored: bytes) -> None:
        found = server.call("FindImage", alice, mirrored, channel=books, mirrored=1, explain=1)
        assert (found["identifier"], found["mirrored"]) == ("one.1", True)
        xs = [corner[0] for corner in found["quad"]]
        assert xs[0] > xs[1]
        assert "identifier" not in server.call("FindImage", alice, mirrored, channel=books)
        plain = server.call("FindImage", alice, photo_of(1), channel=books, mirrored=1)
        assert (plain["identifier"], plain["mirrored"]) == ("one.1", False)

    def test_malformed(self, server: Server, alice: Caller, books: str) -> None:
        assert server.code("FindImage", alice, photo_of(1), channel=books, mirrored="yes") == 20010
        assert server.code("FindImage", alice, photo_of(1), channel=books, mirrored=1, several=1) == 20010


class TestFormats:
    @pytest.mark.parametrize("kind", ["WEBP", "AVIF", "GIF", "TIFF", "BMP", "HEIF"])
    def test_all(self, fetching: Server, server: Server, carol: Caller, alice: Caller, kind: str) -> None:
        """Where the setting names it, pictures and photos of a format are taken; else it is 20007."""
        pillow_heif.register_heif_opener()
        image = cv2.imdecode(np.frombuffer(picture(1), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        data = saved(Image.fromarray(np.ascontiguousarray(image)), kind)
        name = make_channel(fetching.folder, f"of.{kind.lower()}", carol)
        assert fetching.code("AddImage", carol, data, channel=name, identifier="one.1") == 0
        assert fetching.call("FindImage", carol, photo_of(1), channel=name)["identifier"] == "one.1"
        assert fetching.call("FindImage", carol, data, channel=name)["identifier"] == "one.1"
        assert server.code("FindImage", alice, data[:1000]) == 20007
