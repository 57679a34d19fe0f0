"""One server for most tests, with two users; each test gets a channel of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.support.drawn_pictures import picture
from tests.support.easyar_client import EasyAR, make_app
from tests.support.running_server import Caller, Server, make_channel, make_user, serving

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with serving(
        folder / "data", log=folder / "log", max_image_bytes=400_000, page_size=100, engine_queue=40
    ) as running:
        yield running


@pytest.fixture(scope="session")
def alice(server: Server) -> Caller:
    return make_user(server.folder, "alice")


@pytest.fixture(scope="session")
def bob(server: Server) -> Caller:
    return make_user(server.folder, "bob")


@pytest.fixture
def channel(server: Server, alice: Caller) -> str:
    """A new, empty channel of alice's."""
    return make_channel(server.folder, f"channel-{next(_numbers)}", alice)


@pytest.fixture(scope="session")
def books(server: Server, alice: Caller) -> str:
    """A channel of alice's with the pictures one.1, two.2 and three.3; tests only read it."""
    name = make_channel(server.folder, "books", alice)
    for seed, identifier in enumerate(("one.1", "two.2", "three.3"), start=1):
        metadata = f'{{"number": {seed}}}'
        added = server.call("AddImage", alice, picture(seed), channel=name, identifier=identifier, metadata=metadata)
        assert added["returncode"] == 0, added
    return name


@pytest.fixture(scope="session")
def bobs(server: Server, bob: Caller) -> str:
    """A channel of bob's with the picture secret.1."""
    name = make_channel(server.folder, "bobs", bob)
    assert server.code("AddImage", bob, picture(50), channel=name, identifier="secret.1", metadata="bob's") == 0
    return name


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
    """A server with one worker, a short queue and little patience, that answers a miss with HTTP 200."""
    folder = tmp_path_factory.mktemp("strict")
    settings = {"engine_workers": 1, "engine_queue": 8, "deadline_seconds": 1, "rate_limit_per_minute": 40}
    with serving(folder / "data", log=folder / "log", easyar_search_miss_http_status=200, **settings) as running:
        yield running
