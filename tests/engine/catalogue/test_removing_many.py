"""Many pictures of one channel removed in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.catalogue import Catalogue, Picture, StoredFeatures
from engine.errors import ChannelNotFound

FEATURES = StoredFeatures(keypoints=b"k" * 16, vector=b"v" * 8)
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with contextlib.closing(Catalogue(tmp_path)) as made:
        for name in ("one", "two"):
            made.add_channel(name, owner=1)
        yield made


def fill(catalogue: Catalogue, channel: str, count: int) -> list[Picture]:
    return [
        catalogue.add_picture(channel, f"p.{number}", FEATURES, level=3, size=(9, 9), keypoints=1)
        for number in range(count)
    ]


def test_those_that_are_there(catalogue: Catalogue) -> None:
    """In the order asked, each once; unknown ones and another channel's are passed over. The log names each."""
    mine, others = fill(catalogue, "one", 3), fill(catalogue, "two", 1)
    before = catalogue.last_seq()
    asked = [mine[2].uuid, UNKNOWN, others[0].uuid, mine[0].uuid, mine[2].uuid]
    assert catalogue.remove_pictures(catalogue.channel("one"), asked) == [mine[2].uuid, mine[0].uuid]
    assert catalogue.counts() == {"one": 1, "two": 1}
    logged = catalogue.changes(after=before)
    assert {(change.picture_id, change.kind) for change in logged} == {(mine[n].id, "remove") for n in (0, 2)}
    assert catalogue.remove_pictures(catalogue.channel("one"), asked) == []


def test_more_than_one_query_holds(catalogue: Catalogue) -> None:
    mine = fill(catalogue, "one", 1_100)
    uuids = [picture.uuid for picture in mine]
    assert catalogue.remove_pictures(catalogue.channel("one"), uuids) == uuids
    assert catalogue.count("one") == 0


def test_a_channel_that_changed_hands(catalogue: Catalogue) -> None:
    """Nothing of who has it now is removed, whether it was given away or made anew under its name."""
    looked_up = catalogue.channel("one")
    mine = fill(catalogue, "one", 1)
    catalogue.update_channel("one", owner=2, quota=None)
    with pytest.raises(ChannelNotFound):
        catalogue.remove_pictures(looked_up, [mine[0].uuid])
    assert catalogue.count("one") == 1
    catalogue.remove_channel("one")
    catalogue.add_channel("one", owner=1)
    other = fill(catalogue, "one", 1)
    with pytest.raises(ChannelNotFound):
        catalogue.remove_pictures(looked_up, [other[0].uuid])
    assert catalogue.count("one") == 1
