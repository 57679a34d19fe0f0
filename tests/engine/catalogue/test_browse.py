"""Looking through a channel: pages by key, searches, filters."""

from __future__ import annotations

import pytest

from engine.catalogue import Catalogue, Wanted
from engine.catalogue.browse import METADATA_CHARACTERS
from engine.errors import ChannelNotFound
from tests.support.made_catalogue import FEATURES, add


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    """Five pictures in "one", one in "two"."""
    catalogue.add_channel("two")
    add(catalogue, "b.1", metadata="A red Fox")
    add(catalogue, "a.1", metadata="100% sure_thing", threshold=50.0)
    add(catalogue, "C.1", active=False)
    add(catalogue, "a.2", metadata="\u72d0 fox")
    add(catalogue, "z@z", metadata="x" * 10_000)
    catalogue.add_picture("two", "b.1", FEATURES, level=3, size=(1, 1), keypoints=0)
    return catalogue


def found(catalogue: Catalogue, after: str = "", limit: int = 100, **wanted: object) -> list[str]:
    glimpses = catalogue.browse("one", Wanted(**wanted), after=after, limit=limit)  # type: ignore[arg-type]
    return [glimpse.identifier for glimpse in glimpses]


class TestBrowse:
    def test_order_is_that_of_code_points(self, filled: Catalogue) -> None:
        assert found(filled) == ["C.1", "a.1", "a.2", "b.1", "z@z"]

    def test_pages_follow_a_key(self, filled: Catalogue) -> None:
        """Also behind a picture that is gone, and one that never was."""
        assert found(filled, limit=2) == ["C.1", "a.1"]
        assert found(filled, after="a.1", limit=2) == ["a.2", "b.1"]
        filled.remove_picture("one", "a.1")
        assert found(filled, after="a.1", limit=1) == ["a.2"]
        assert found(filled, after="zzzz") == []

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("FOX", ["a.2", "b.1"]),
            ("\u72d0", ["a.2"]),
            ("a.", ["a.1", "a.2"]),
            ("%", ["a.1"]),
            ("e_t", ["a.1"]),
            ("_", ["a.1"]),
            ("\\", []),
            ("/", []),
            ("'; --", []),
        ],
    )
    def test_search(self, filled: Catalogue, text: str, expected: list[str]) -> None:
        """What is typed is no pattern."""
        assert found(filled, text=text) == expected

    def test_filters(self, filled: Catalogue) -> None:
        assert found(filled, active=False) == ["C.1"]
        assert found(filled, active=True, text="fox") == ["a.2", "b.1"]
        assert found(filled, own_threshold=True) == ["a.1"]
        assert found(filled, own_threshold=False) == ["C.1", "a.2", "b.1", "z@z"]
        assert found(filled, level=3) == ["C.1", "a.1", "a.2", "b.1", "z@z"]
        assert found(filled, level=1) == []

    def test_glimpses_are_short(self, filled: Catalogue) -> None:
        (last,) = filled.browse("one", Wanted(), after="b.1")
        picture = filled.picture("one", "z@z")
        assert last.beginning == "x" * METADATA_CHARACTERS
        assert (last.id, last.uuid, last.threshold, last.active) == (picture.id, picture.uuid, None, True)

    def test_no_such_channel(self, filled: Catalogue) -> None:
        with pytest.raises(ChannelNotFound):
            filled.browse("three", Wanted())
