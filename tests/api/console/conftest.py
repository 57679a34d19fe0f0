"""A server with a filled gallery, and visitors who have signed in."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import pytest

from api.accounts.operator import OperatorPassword
from engine.catalogue import Catalogue
from tests.support.console_pages import Visit
from tests.support.drawn_pictures import picture
from tests.support.running_server import Caller, Server, make_channel, make_user, serving

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("console")
    with serving(folder / "data", log=folder / "log", max_image_bytes=400_000, engine_queue=40) as running:
        with contextlib.closing(Catalogue(running.folder)) as catalogue:
            OperatorPassword(catalogue).set(PASSWORD)
        yield running
        assert "unexpected failure" not in running.log_text()


@pytest.fixture(scope="session")
def ann(console: Server) -> Caller:
    return make_user(console.folder, "ann")


@pytest.fixture(scope="session")
def ben(console: Server) -> Caller:
    return make_user(console.folder, "ben")


@pytest.fixture(scope="session")
def shelf(console: Server, ann: Caller) -> str:
    """A channel of ann's with the pictures one.1, two.2 and three.3; tests only read it."""
    name = make_channel(console.folder, "shelf", ann)
    for seed, identifier in enumerate(("one.1", "two.2", "three.3"), start=1):
        added = console.call(
            "AddImage", ann, picture(seed), channel=name, identifier=identifier, metadata=f"number {seed}"
        )
        assert added["returncode"] == 0, added
    return name


@pytest.fixture(scope="session")
def bens(console: Server, ben: Caller) -> str:
    """A channel of ben's with the picture hidden.1."""
    name = make_channel(console.folder, "bens", ben)
    assert console.code("AddImage", ben, picture(50), channel=name, identifier="hidden.1", metadata="ben's") == 0
    return name


@pytest.fixture
def box(console: Server, ann: Caller) -> str:
    """A new, empty channel of ann's."""
    return make_channel(console.folder, f"box-{next(_numbers)}", ann)


def signed_in(server: Server, **given: str) -> Visit:
    visit = Visit(server.base)
    page = visit.sign_in(**given)
    assert page.status == 200, page.text
    assert page.path == "/console"
    return visit


@pytest.fixture(scope="session")
def user(console: Server, ann: Caller) -> Iterator[Visit]:
    """Ann, with her full pair."""
    visit = signed_in(console, **ann.fields)
    yield visit
    visit.close()


@pytest.fixture(scope="session")
def reader(console: Server, ann: Caller) -> Iterator[Visit]:
    """Ann, with her read-only pair."""
    visit = signed_in(console, **ann.reading.fields)
    yield visit
    visit.close()


@pytest.fixture(scope="session")
def other(console: Server, ben: Caller) -> Iterator[Visit]:
    """Ben."""
    visit = signed_in(console, **ben.fields)
    yield visit
    visit.close()


@pytest.fixture(scope="session")
def operator(console: Server) -> Iterator[Visit]:
    visit = signed_in(console, password=PASSWORD)
    yield visit
    visit.close()


@pytest.fixture
def stranger(console: Server) -> Visit:
    """Nobody."""
    return Visit(console.base)
