"""A channel or picture that was looked up is that one for good: its name may be another's when the write comes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.catalogue import Catalogue, Channel, Picture, StoredFeatures
from engine.errors import ChannelNotFound, PictureNotFound

FEATURES = StoredFeatures(keypoints=b"k" * 16, vector=b"v" * 8, jpeg=b"jpeg")
OTHER = StoredFeatures(keypoints=b"K" * 16, vector=b"V" * 8, jpeg=b"JPEG")
ALICE, BOB = 1, 2


def add(catalogue: Catalogue, channel: str | Channel, identifier: str = "abc", metadata: str = "") -> Picture:
    return catalogue.add_picture(
        channel, identifier, FEATURES, level=3, size=(9, 9), keypoints=1, metadata=metadata, active=True
    )


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """With Alice's channel "one", which holds the picture "abc"."""
    with contextlib.closing(Catalogue(tmp_path)) as made:
        made.add_channel("one", owner=ALICE)
        add(made, "one", metadata="hers")
        yield made


def made_anew(catalogue: Catalogue) -> None:
    """The channel is removed, and another one of its name is Bob's."""
    catalogue.remove_channel("one")
    catalogue.add_channel("one", owner=BOB)
    add(catalogue, "one", metadata="his")


def given_away(catalogue: Catalogue) -> None:
    """The channel itself becomes Bob's."""
    catalogue.update_channel("one", owner=BOB, quota=None)


def removed(catalogue: Catalogue) -> None:
    catalogue.remove_channel("one")


Call = Callable[[Catalogue, Channel, Picture], object]
WRITES: dict[str, Call] = {
    "add": lambda c, channel, _: add(c, channel, "new"),
    "remove many": lambda c, channel, _: c.remove_pictures(channel, [p.uuid for p in c.all_pictures()]),
    "remove": lambda c, channel, picture: c.remove_picture(channel, picture),
    "remove by name": lambda c, channel, picture: c.remove_picture(channel, picture.identifier),
    "update": lambda c, channel, picture: c.update_picture(channel, picture, metadata="changed"),
    "update by name": lambda c, channel, _: c.update_picture(channel, "abc", metadata="changed"),
    "replace": lambda c, channel, picture: c.replace_picture(
        channel, picture, OTHER, level=3, size=(9, 9), keypoints=1
    ),
}
CHANNELS: dict[str, Call] = {
    "channel": lambda c, channel, _: c.update_channel(channel, owner=channel.owner, quota=5),
    "remove channel": lambda c, channel, _: c.remove_channel(channel),
}
READS: dict[str, Call] = {
    "picture": lambda c, channel, picture: c.picture(channel, picture.identifier),
    "pictures": lambda c, channel, _: c.pictures(channel),
    "newest": lambda c, channel, _: c.newest_pictures(channel),
    "count": lambda c, channel, _: c.count(channel),
    "room": lambda c, channel, _: c.check_room(channel, "new"),
}


class TestChannel:
    @pytest.mark.parametrize("meanwhile", [made_anew, given_away, removed])
    @pytest.mark.parametrize("name", [*WRITES, *READS, *CHANNELS])
    def test_is_another_now(self, catalogue: Catalogue, name: str, meanwhile: Callable[[Catalogue], None]) -> None:
        """Whoever was let into it is let into no other: every call says that there is no such channel, and nothing
        of the other one changes."""
        channel, picture = catalogue.channel("one"), catalogue.picture("one", "abc")
        meanwhile(catalogue)
        before = list(catalogue.all_pictures()), catalogue.channels(), catalogue.last_seq()
        with pytest.raises(ChannelNotFound):
            {**WRITES, **READS, **CHANNELS}[name](catalogue, channel, picture)
        assert (list(catalogue.all_pictures()), catalogue.channels(), catalogue.last_seq()) == before

    def test_another_quota_is_no_other_channel(self, catalogue: Catalogue) -> None:
        """What may change of a channel while it stays its owner's does not turn anybody away; the new quota holds."""
        channel = catalogue.channel("one")
        catalogue.update_channel("one", owner=ALICE, quota=2)
        assert add(catalogue, channel, "new").channel == "one"


class TestPicture:
    @pytest.fixture
    def swapped(self, catalogue: Catalogue) -> Picture:
        """The picture that was "abc" until it was removed and its identifier given to another."""
        picture = catalogue.picture("one", "abc")
        catalogue.remove_picture("one", "abc")
        add(catalogue, "one", metadata="the other")
        return picture

    @pytest.mark.parametrize("name", ["update", "replace"])
    def test_is_gone(self, catalogue: Catalogue, swapped: Picture, name: str) -> None:
        """The picture that has its identifier now stays as it is."""
        before = list(catalogue.all_pictures())
        with pytest.raises(PictureNotFound):
            WRITES[name](catalogue, catalogue.channel("one"), swapped)
        assert list(catalogue.all_pictures()) == before

    def test_removed_is_not_removed_again(self, catalogue: Catalogue, swapped: Picture) -> None:
        assert not catalogue.remove_picture("one", swapped)
        assert catalogue.count("one") == 1

    def test_has_another_name_now(self, catalogue: Catalogue) -> None:
        """Renamed, or with another image and so another number, it is still the one that was looked up."""
        picture = catalogue.picture("one", "abc")
        catalogue.update_picture("one", "abc", identifier="renamed")
        add(catalogue, "one")
        catalogue.replace_picture("one", "renamed", OTHER, level=3, size=(9, 9), keypoints=1)
        changed = catalogue.update_picture(catalogue.channel("one"), picture, metadata="changed")
        assert (changed.identifier, changed.uuid, changed.metadata) == ("renamed", picture.uuid, "changed")
        assert catalogue.picture("one", "abc").metadata == ""

    def test_of_another_channel(self, catalogue: Catalogue) -> None:
        """A picture is sought in the channel that is named with it."""
        picture = catalogue.picture("one", "abc")
        catalogue.add_channel("two", owner=ALICE)
        with pytest.raises(PictureNotFound):
            catalogue.update_picture("two", picture, metadata="changed")
