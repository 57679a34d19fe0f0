"""Pages of a list: bounded by what they hold, in the list's order, each picture once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.rules.pages import AT_ONCE, Page, PageRules, size_of
from engine.catalogue import Catalogue, Picture, StoredFeatures

FEATURES = StoredFeatures(keypoints=b"k" * 16, vector=b"v" * 8)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with contextlib.closing(Catalogue(tmp_path)) as made:
        made.add_channel("one", owner=1)
        yield made


def add(catalogue: Catalogue, identifier: str, **more: Any) -> Picture:
    return catalogue.add_picture("one", identifier, FEATURES, level=3, size=(9, 9), keypoints=1, **more)


def names(page: Page) -> list[str]:
    return [picture.identifier for picture in page.pictures]


@pytest.mark.parametrize("count", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
@pytest.mark.parametrize("limit", [1, AT_ONCE, 2 * AT_ONCE, 100])
def test_as_the_catalogue_lists(catalogue: Catalogue, count: int, limit: int) -> None:
    made = [add(catalogue, f"p.{number:03}") for number in range(count)]
    pages, channel = PageRules(catalogue, most_bytes=10_000), catalogue.channel("one")
    for offset in (0, 1, AT_ONCE):
        listed = catalogue.pictures("one", offset=offset, limit=limit)
        assert pages.by_identifier(channel, offset=offset, limit=limit) == Page(pictures=listed, cut=False)
        newest = catalogue.newest_pictures("one", offset=offset, limit=limit)
        assert pages.newest(channel, offset=offset, limit=limit) == Page(pictures=newest, cut=False)
    if made:
        after = catalogue.newest_pictures("one", limit=limit, after=made[-1])
        assert pages.newest(channel, limit=limit, after=made[-1]).pictures == after


def test_a_full_page(catalogue: Catalogue) -> None:
    """It ends before the picture that would be too much; one picture always fits."""
    for number in range(4):
        add(catalogue, f"p.{number}", metadata="m" * 400, facts={"easyar": {"others": {"a": "x" * 99}}})
    channel = catalogue.channel("one")
    assert size_of(catalogue.picture("one", "p.0")) == 400 + len("others") + 1 + 99
    for most, fitting in ((1, 1), (506, 1), (1_011, 1), (1_012, 2), (2_023, 3)):
        pages = PageRules(catalogue, most_bytes=most)
        assert names(pages.by_identifier(channel, offset=0, limit=9)) == [f"p.{n}" for n in range(fitting)]
        assert names(pages.newest(channel, limit=9)) == [f"p.{3 - n}" for n in range(fitting)]
        assert pages.by_identifier(channel, offset=0, limit=9).cut
    assert not PageRules(catalogue, most_bytes=2_024).by_identifier(channel, offset=0, limit=9).cut
    assert not PageRules(catalogue, most_bytes=1).by_identifier(channel, offset=3, limit=9).cut


def test_changes_between_two_pieces(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture before the page is removed while it is read: none is left out."""
    for number in range(2 * AT_ONCE):
        add(catalogue, f"p.{number:03}")
    pages, channel, read = PageRules(catalogue, most_bytes=10_000), catalogue.channel("one"), catalogue.pictures
    removed: list[str] = []

    def reading(*args: Any, **kwargs: Any) -> list[Picture]:
        found = read(*args, **kwargs)
        if len(removed) < 2:
            removed.append(f"p.{len(removed):03}")
            catalogue.remove_picture("one", removed[-1])
        return found

    monkeypatch.setattr(catalogue, "pictures", reading)
    found = names(pages.by_identifier(channel, offset=0, limit=100))
    assert found == [f"p.{number:03}" for number in range(2, 2 * AT_ONCE)]


def test_a_list_that_never_rests(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short page of it is answered all the same: a client goes on from there."""
    for number in range(9 * AT_ONCE):
        add(catalogue, f"p.{number:03}")
    channel, read = catalogue.channel("one"), catalogue.pictures

    def reading(*args: Any, **kwargs: Any) -> list[Picture]:
        found = read(*args, **kwargs)
        catalogue.remove_picture("one", catalogue.newest_pictures("one", limit=1)[0].identifier)
        catalogue.remove_picture("one", read("one", limit=1)[0].identifier)
        return found

    monkeypatch.setattr(catalogue, "pictures", reading)
    page = PageRules(catalogue, most_bytes=10_000).by_identifier(channel, offset=0, limit=100)
    assert (len(page.pictures), page.cut) == (AT_ONCE, True)
