"""Bulk: archives and lists that are sent, their reports, and exports."""

from __future__ import annotations

import io
import json
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.drawn_pictures import flat, photo_of, picture
from tests.support.running_server import Caller, Server, make_channel, make_user, serving
from tests.support.web import told, web


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def keys(who: Caller) -> tuple[str, str]:
    return who.full.username, who.full.secretkey


def send(server: Server, who: Caller, channel: str, body: bytes, kind: str = "application/x-tar") -> httpx.Response:
    return server.client.post(
        "/v1/pictures:import", params={"channel": channel}, content=body, headers={"Content-Type": kind}, auth=keys(who)
    )


def ended(server: Server, who: Caller, number: str) -> dict[str, Any]:
    """The whole report of an import that has ended."""
    for _ in range(600):
        report = server.client.get(f"/v1/imports/{number}", auth=keys(who)).json()
        if report["import"]["state"] in ("done", "failed", "stopped"):
            return report
        time.sleep(0.1)
    raise AssertionError(report)


def counts(report: dict[str, Any]) -> tuple[int, int, int]:
    told = report["import"]
    return told["added"], told["present"], told["refused"]


class TestImport:
    def test_a_tar(self, server: Server, alice: Caller, channel: str) -> None:
        """Each picture with what became of it; found at once; the same again is there already."""
        line = json.dumps({"file": "b/two.jpg", "identifier": "second.2", "metadata": "text", "matchratio": 70})
        files = {
            "one.jpg": picture(1),
            "b/two.jpg": picture(2),
            "text.txt": b"no image",
            "flat.png": flat(),
            "large.jpg": b"\xff\xd8\xff" + bytes(500_000),
            "manifest.jsonl": line.encode(),
        }
        taken = send(server, alice, channel, tar(files))
        assert taken.status_code == 202
        assert taken.json()["channel"] == channel
        report = ended(server, alice, taken.json()["id"])
        assert counts(report) == (2, 0, 3)
        assert (report["import"]["state"], report["import"]["total"], report["more"]) == ("done", 5, False)
        by_name = {item["name"]: item for item in report["items"]}
        assert by_name["one.jpg"]["state"] == "added"
        assert 1 <= by_name["one.jpg"]["level"] <= 5
        assert by_name["b/two.jpg"]["identifier"] == "second.2"
        assert by_name["text.txt"]["error"] == "NotAnImage"
        assert by_name["flat.png"]["error"] == "TooFewFeatures"
        assert by_name["large.jpg"]["error"] == "ImageTooLarge"
        assert all(by_name[name]["reason"] for name in ("text.txt", "flat.png", "large.jpg"))
        assert server.call("FindImage", alice, photo_of(1), channel=channel)["identifier"] == "one"
        shown = server.call("GetImage", alice, channel=channel, identifier="second.2")
        assert (shown["metadata"], shown["matchratio"]) == ("text", 70)
        again = ended(server, alice, send(server, alice, channel, tar(files)).json()["id"])
        assert counts(again) == (0, 2, 3)

    def test_a_zip_page_by_page(self, server: Server, alice: Caller, channel: str) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as made:
            for seed in range(5):
                made.writestr(f"picture-{seed}.jpg", picture(seed))
        number = send(server, alice, channel, buffer.getvalue(), "application/zip").json()["id"]
        seen, after, more = [], 0, True
        while more:
            page = server.client.get(
                f"/v1/imports/{number}", params={"after": after, "limit": 2}, auth=keys(alice)
            ).json()
            assert len(page["items"]) <= 2
            seen += [item["identifier"] for item in page["items"]]
            after, more = page["next"], page["more"]
            time.sleep(0.02)
        assert seen == [f"picture_{seed}" for seed in range(5)]
        listed = server.client.get("/v1/imports", auth=keys(alice)).json()["imports"]
        assert listed[0]["id"] == number

    def test_what_is_no_archive(self, server: Server, alice: Caller, channel: str) -> None:
        for body in (b"text" * 1_000, tar({"a.jpg": picture(1)})[:2_000]):
            told = ended(server, alice, send(server, alice, channel, body).json()["id"])["import"]
            assert told["state"] == "failed"
            assert told["reason"]

    def test_a_full_channel(self, server: Server, alice: Caller) -> None:
        """Ends there, and says so; what was added stays."""
        name = make_channel(server.folder, "import.small", alice, quota=2)
        number = send(server, alice, name, tar({f"pic.{seed}.jpg": picture(seed) for seed in range(4)})).json()["id"]
        report = ended(server, alice, number)
        assert report["import"]["state"] == "failed"
        assert "quota" in report["import"]["reason"] or "full" in report["import"]["reason"]
        assert counts(report) == (2, 0, 0)

    def test_many_at_once(self, server: Server, bob: Caller) -> None:
        """Four of one user may wait; others may still send theirs."""
        name = make_channel(server.folder, "import.many", bob)
        archive = tar({f"p.{n}.jpg": picture(n % 9) for n in range(60)})
        taken = [send(server, bob, name, archive) for _ in range(6)]
        assert [answer.status_code for answer in taken] == [202] * 4 + [503] * 2
        assert int(taken[-1].headers["retry-after"]) >= 1
        for answer in taken[:4]:
            server.client.delete(f"/v1/imports/{answer.json()['id']}", auth=keys(bob))
        for answer in taken[:4]:
            ended(server, bob, answer.json()["id"])

    def test_stopped(self, server: Server, alice: Caller, channel: str) -> None:
        number = send(server, alice, channel, tar({f"p.{n}.jpg": picture(n % 9) for n in range(200)})).json()["id"]
        stopped = server.client.delete(f"/v1/imports/{number}", auth=keys(alice))
        assert stopped.status_code == 200
        report = ended(server, alice, number)
        assert report["import"]["state"] == "stopped"
        assert sum(counts(report)) < 200

    def test_who_may(self, server: Server, alice: Caller, bob: Caller, channel: str, bobs: str) -> None:
        """Known before the body is read; another's import is none."""
        body = tar({"one.jpg": picture(1)})
        reading = (alice.readonly.username, alice.readonly.secretkey)
        for auth, where, expected in (
            (None, channel, (401, "wrong_credentials")),
            (reading, channel, (401, "wrong_credentials")),
            (keys(alice), bobs, (403, "foreign_channel")),
            (keys(alice), "none", (404, "channel_not_found")),
            (keys(alice), "", (404, "channel_not_found")),
        ):
            answer = server.client.post("/v1/pictures:import", params={"channel": where}, content=body, auth=auth)
            assert (answer.status_code, answer.json()["error"]) == expected
        number = send(server, alice, channel, body).json()["id"]
        for verb in ("GET", "DELETE"):
            answer = server.client.request(verb, f"/v1/imports/{number}", auth=keys(bob))
            assert (answer.status_code, answer.json()["error"]) == (404, "import_not_found")
        assert server.client.get("/v1/imports/x", auth=keys(alice)).status_code == 404
        assert server.client.get(f"/v1/imports/{number}?after=x", auth=keys(alice)).status_code == 400
        ended(server, alice, number)

    def test_lists_need_the_setting(self, server: Server, alice: Caller, channel: str) -> None:
        answer = send(server, alice, channel, b'{"url": "http://a.example/"}', "application/x-ndjson")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_value")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("small")
    chosen = {"max_import_bytes": 300_000, "image_url": True, "image_url_hosts": "127.0.0.1"}
    with serving(folder / "data", log=folder / "log", **chosen) as running:
        yield running


class TestLimits:
    def test_too_large(self, small: Server) -> None:
        """Nothing of it stays."""
        user = make_user(small.folder, "dave")
        name = make_channel(small.folder, "limits", user)

        def endless() -> Iterator[bytes]:
            for _ in range(40):
                yield bytes(10_000)

        url = f"/v1/pictures:import?channel={name}"
        try:
            answer = small.client.post(url, content=endless(), auth=keys(user))
            assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        except httpx.TransportError:
            pass  # the connection ended before all was sent
        assert list((small.folder / "imports").glob("*")) == []
        assert small.client.get("/v1/imports", auth=keys(user)).json() == {"imports": []}

    def test_addresses(self, small: Server) -> None:
        user = make_user(small.folder, "erin")
        name = make_channel(small.folder, "addresses", user)
        files = {"/one.jpg": picture(1), "/text": b"no image"}
        with web(lambda request: told(request, files.get(request.path, b""), status=200)) as base:
            lines = [
                {"url": f"{base}/one.jpg", "metadata": "m"},
                {"url": f"{base}/text"},
                {"url": "http://localhost/x.jpg"},
                {"url": 5},
            ]
            body = b"\n".join(json.dumps(line).encode() for line in lines)
            number = send(small, user, name, body, "application/x-ndjson; charset=utf-8").json()["id"]
            report = ended(small, user, number)
        assert counts(report) == (1, 0, 3)
        assert [item.get("error") for item in report["items"]] == [None, "NotAnImage", "NotFetched", "InvalidValue"]
        assert small.call("GetImage", user, channel=name, identifier="one")["metadata"] == "m"


class TestKilled:
    def test_goes_on(self, tmp_path: Path) -> None:
        """An import that was accepted is finished by the next server; nothing is there twice, what was removed
        meanwhile stays so, and what was sent is not kept longer than needed."""
        folder, wanted = tmp_path / "data", 40
        with serving(folder, log=tmp_path / "log") as server:
            user = make_user(folder, "frank")
            name = make_channel(folder, "killed", user)
            files = {f"pic.{seed}.jpg": picture(seed) for seed in range(wanted)}
            number = send(server, user, name, tar(files)).json()["id"]
            while server.call("GetImages", user, channel=name)["totalcount"] < 5:
                time.sleep(0.02)
            assert server.code("RemoveImage", user, channel=name, identifier="pic.0") == 0
            server.kill()
        (folder / "imports" / "left.body").write_bytes(b"never accepted")
        with serving(folder, log=tmp_path / "log") as server:
            report = ended(server, user, number)
            assert report["import"]["state"] == "done"
            added, present, refused = counts(report)
            assert (added + present, refused) == (wanted, 0)
            assert present <= 1  # the one that was added when its line was not written yet
            assert len(report["items"]) == wanted
            assert server.call("GetImages", user, channel=name)["totalcount"] == wanted - 1
            for _ in range(100):
                if not list((folder / "imports").glob("*.body")):
                    break
                time.sleep(0.05)
            assert list((folder / "imports").glob("*.body")) == []
            assert server.stop() == 0


class TestExport:
    def test_there_and_back(self, server: Server, alice: Caller, books: str, channel: str) -> None:
        answer = server.client.get("/v1/pictures:export", params={"channel": books}, auth=keys(alice))
        assert answer.headers["content-type"] == "application/x-tar"
        assert answer.headers["content-disposition"] == f'attachment; filename="{books}.tar"'
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as read:
            assert {"one.1.jpg", "two.2.jpg", "three.3.jpg"} < set(read.getnames())
        report = ended(server, alice, send(server, alice, channel, answer.content).json()["id"])
        assert counts(report) == (3, 0, 0)
        mine, copy = (server.call("GetImages", alice, channel=name)["images"] for name in (books, channel))
        assert mine == copy

    def test_refused(self, server: Server, alice: Caller, bobs: str) -> None:
        for auth, name, expected in (
            (None, "books", 401),
            ((alice.readonly.username, alice.readonly.secretkey), "books", 401),
            (keys(alice), bobs, 403),
            (keys(alice), "none", 404),
        ):
            assert server.client.get("/v1/pictures:export", params={"channel": name}, auth=auth).status_code == expected
