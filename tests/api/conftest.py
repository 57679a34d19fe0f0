"""The servers of these tests: that of tests/support/served.py, one for the EasyAR dialect, and a strict one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.support.drawn_pictures import picture
from tests.support.easyar_client import EasyAR, make_app
from tests.support.running_server import Caller, Server, make_user, serving
from tests.support.served import alice, bob, bobs, books, channel, server

__all__ = ["alice", "bob", "bobs", "books", "channel", "server"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def easyar_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the limits of the EasyAR contract, open to pages of other origins."""
    folder = tmp_path_factory.mktemp("easyar")
    with serving(folder / "data", log=folder / "log", engine_queue=40, cors_origins="*") as running:
        yield running


@pytest.fixture(scope="session")
def owner(easyar_server: Server) -> Caller:
    return make_user(easyar_server.folder, "owner")


@pytest.fixture
def app(easyar_server: Server, owner: Caller) -> EasyAR:
    """A new, empty app."""
    keys = make_app(easyar_server.folder, f"app-{next(_numbers)}", owner)
    return EasyAR(client=easyar_server.client, keys=keys)


@pytest.fixture(scope="session")
def gallery(easyar_server: Server, owner: Caller) -> EasyAR:
    """An app with the targets "one", "two" and "three"; tests only read it."""
    app = EasyAR(client=easyar_server.client, keys=make_app(easyar_server.folder, "gallery", owner))
    for seed, name in enumerate(("one", "two", "three"), start=1):
        app.add(picture(seed), name=name, meta=f"number {seed}")
    return app


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, a short queue and little patience, that answers a miss with HTTP 200 and takes
    signatures without the image."""
    folder = tmp_path_factory.mktemp("strict")
    settings = {"engine_workers": 1, "engine_queue": 8, "deadline_seconds": 1, "rate_limit_per_minute": 40}
    settings["frame_seconds"] = 0  # the same photo again takes as long as at first
    with serving(
        folder / "data", log=folder / "log", easyar_search_miss_http_status=200, easyar_unsigned_image=True, **settings
    ) as running:
        yield running
