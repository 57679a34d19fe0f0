"""Fixtures: one server for many tests, with two users; each test gets a channel of its own. A `conftest.py` imports
those that its tests need."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.support.drawn_pictures import picture
from tests.support.running_server import Caller, Server, make_channel, make_user, serving

__all__ = ["alice", "bob", "bobs", "books", "channel", "server"]

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
