"""A server with Vuforia's calls at the root of a port of its own, too."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from tests.support.drawn_pictures import picture
from tests.support.running_server import Caller, Server, make_user, serving
from tests.support.vuforia_client import Vuforia, make_database

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def vuforia_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("vuforia")
    with serving(folder / "data", log=folder / "log", engine_queue=40, vuforia_port=0) as running:
        yield running


@pytest.fixture(scope="session")
def owner(vuforia_server: Server) -> Caller:
    return make_user(vuforia_server.folder, "owner")


@pytest.fixture(scope="session")
def own_port(vuforia_server: Server) -> str:
    """The address of the port at whose root the calls answer, as the server tells it."""
    assert vuforia_server.process.stdout is not None
    line = vuforia_server.process.stdout.readline()
    told = re.fullmatch(r"Vuforia's calls answer on (http://\S+)\n", line)
    assert told, line
    return told[1]


@pytest.fixture
def database(vuforia_server: Server, owner: Caller) -> Vuforia:
    """A new, empty database."""
    return make_database(vuforia_server.folder, f"database-{next(_numbers)}", owner, vuforia_server.client)


@pytest.fixture(scope="session")
def switched_off(vuforia_server: Server, owner: Caller) -> Vuforia:
    return make_database(vuforia_server.folder, "off", owner, vuforia_server.client, active=False)


@pytest.fixture(scope="session")
def gallery(vuforia_server: Server, owner: Caller) -> tuple[Vuforia, dict[str, str]]:
    """A database and the target_ids of its targets "one", "two" and "three"; tests only read it."""
    database = make_database(vuforia_server.folder, "gallery", owner, vuforia_server.client)
    names = ("one", "two", "three")
    return database, {name: database.add(picture(seed), name=name) for seed, name in enumerate(names, start=1)}
