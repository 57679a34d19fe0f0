"""Pictures: added, changed, removed and listed."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from engine.catalogue import Catalogue, Change, StoredFeatures
from engine.errors import (
    IdentifierTaken,
    PictureNotFound,
    QuotaExceeded,
)
from tests.support.made_catalogue import FACTS, FEATURES, add, identifiers, state, whole


class TestPictures:
    def test_added(self, catalogue: Catalogue) -> None:
        """What was given is stored, with features, rendition and one entry in the log."""
        made = add(catalogue, "abc", metadata="m\n✓", threshold=61.5, active=False, facts={"a": [1, None]})
        assert catalogue.picture("one", "abc") == made
        assert (made.identifier, made.channel, made.metadata, made.threshold) == ("abc", "one", "m\n✓", 61.5)
        assert (made.active, made.facts, made.level, made.width, made.height) == (False, {"a": [1, None]}, 3, 360, 480)
        assert made.added_at == made.updated_at > 1.7e9
        channel = catalogue.channel("one").id
        assert catalogue.features([made.id]) == [(made.id, channel, False, b"k" * 16, b"v" * 8)]
        assert catalogue.rendition(made.id) == b"jpeg"
        assert catalogue.orb_bits([made.id]) == {made.id: b"orb"}
        assert catalogue.changes(after=0) == [Change(1, made.id, channel, "add")]
        assert catalogue.picture_by_uuid(made.uuid) == made

    def test_identifiers_are_unique_in_their_channel(self, catalogue: Catalogue) -> None:
        """An identifier is taken once in a channel, and free in another."""
        add(catalogue, "abc")
        before = state(catalogue)
        with pytest.raises(IdentifierTaken) as caught:
            add(catalogue, "abc")
        assert (caught.value.channel, caught.value.identifier) == ("one", "abc")
        assert state(catalogue) == before
        catalogue.add_channel("two")
        add(catalogue, "abc", "two")

    def test_numbers_are_never_used_again(self, catalogue: Catalogue) -> None:
        """The number of a removed picture stays unused, and so does its place in the log."""
        first = add(catalogue, "abc")
        catalogue.remove_picture("one", "abc")
        second = add(catalogue, "abc")
        assert second.id > first.id
        assert second.uuid != first.uuid
        assert [(c.seq, c.picture_id, c.kind) for c in catalogue.changes(after=0)] == [
            (1, first.id, "add"),
            (2, first.id, "remove"),
            (3, second.id, "add"),
        ]

    def test_removed(self, catalogue: Catalogue) -> None:
        """All of a picture goes at once; removing it again removes nothing."""
        gone = add(catalogue, "abc")
        assert catalogue.remove_picture("one", "abc") is True
        assert catalogue.remove_picture("one", "abc") is False
        assert catalogue.features([gone.id]) == []
        assert catalogue.rendition(gone.id) is None
        assert catalogue.renditions([gone.id]) == {}
        assert catalogue.picture_by_uuid(gone.uuid) is None
        assert catalogue.last_seq() == 2
        with pytest.raises(PictureNotFound):
            catalogue.picture("one", "abc")

    def test_quota(self, catalogue: Catalogue) -> None:
        """A channel takes as many as its quota says, and more after a removal."""
        catalogue.update_channel("one", owner=None, quota=2)
        add(catalogue, "a")
        add(catalogue, "b")
        before = state(catalogue)
        for call in (lambda: add(catalogue, "c"), lambda: catalogue.check_room("one", "c")):
            with pytest.raises(QuotaExceeded) as caught:
                call()
            assert (caught.value.channel, caught.value.quota) == ("one", 2)
        assert state(catalogue) == before
        catalogue.remove_picture("one", "a")
        add(catalogue, "c")

    def test_a_quota_of_nothing(self, catalogue: Catalogue) -> None:
        """A quota of 0 takes nothing, and is not "no quota"."""
        catalogue.update_channel("one", owner=None, quota=0)
        with pytest.raises(QuotaExceeded):
            add(catalogue, "abc")

    def test_all_or_nothing(self, catalogue: Catalogue) -> None:
        """Where a part of a picture cannot be stored, none of it is."""
        add(catalogue, "abc")
        before = state(catalogue)
        broken = StoredFeatures(keypoints=b"", vector=None)  # type: ignore[arg-type]
        with pytest.raises(sa.exc.IntegrityError):
            catalogue.add_picture("one", "xyz", broken, **FACTS)
        assert state(catalogue) == before
        assert whole(catalogue.folder)


class TestUpdate:
    @pytest.mark.parametrize(
        "changes",
        [{"metadata": "new"}, {"threshold": 12.5}, {"threshold": None}, {"active": False}, {"facts": {"x": 1}}],
        ids=str,
    )
    def test_only_what_is_given(self, catalogue: Catalogue, changes: dict[str, Any]) -> None:
        """What is given changes, the rest stays, and the log says so."""
        before = add(catalogue, "abc", metadata="old", threshold=50.0, facts={"y": 2})
        after = catalogue.update_picture("one", "abc", **changes)
        assert after == catalogue.picture("one", "abc")
        assert vars(after) == {**vars(before), **changes, "updated_at": after.updated_at}
        assert after.updated_at >= before.updated_at
        assert [c.kind for c in catalogue.changes(after=0)] == ["add", "update"]

    def test_identifier(self, catalogue: Catalogue) -> None:
        """A picture may be renamed, but not to a name that is taken."""
        number = add(catalogue, "abc").id
        add(catalogue, "taken")
        assert catalogue.update_picture("one", "abc", identifier="xyz").id == number
        before = state(catalogue)
        with pytest.raises(IdentifierTaken) as caught:
            catalogue.update_picture("one", "xyz", identifier="taken")
        assert caught.value.identifier == "taken"
        assert state(catalogue) == before

    def test_unknown(self, catalogue: Catalogue) -> None:
        """A picture that is not there cannot change."""
        with pytest.raises(PictureNotFound):
            catalogue.update_picture("one", "abc", metadata="")
        assert catalogue.last_seq() == 0

    @pytest.mark.parametrize("field", ["note", "channel", "id", "uuid", "added_at"])
    def test_a_field_that_cannot_change(self, catalogue: Catalogue, field: str) -> None:
        """Any other field is a TypeError that names it and what there is, and nothing of the change is done."""
        add(catalogue, "abc")
        before = state(catalogue)
        calls: tuple[Any, ...] = (
            lambda changes: catalogue.update_picture("one", "abc", **changes),
            lambda changes: catalogue.replace_picture("one", "abc", FEATURES, **FACTS, **changes),
        )
        for call in calls:
            with pytest.raises(TypeError, match=rf"no {field} to change; there are active, facts, identifier, meta"):
                call({"metadata": "new", field: 1})
            assert state(catalogue) == before

    def test_features(self, catalogue: Catalogue) -> None:
        """New features replace the old ones; the picture and its rendition stay."""
        made = add(catalogue, "abc")
        catalogue.replace_features(made.id, StoredFeatures(keypoints=b"K" * 32, vector=b"V" * 8), level=5, keypoints=2)
        assert catalogue.features([made.id])[0][3:] == (b"K" * 32, b"V" * 8)
        assert catalogue.rendition(made.id) == b"jpeg"
        after = catalogue.picture("one", "abc")
        assert (after.level, after.keypoints, after.id, after.uuid) == (5, 2, made.id, made.uuid)


class TestListing:
    NAMES = ("b", "a", "Z", "_", "a.1", "a@", "10", "9", "B", "é", "z", "ab")

    def test_order_of_code_points(self, catalogue: Catalogue) -> None:
        """Pages go by code point, whatever the order of addition: 10, 9, B, Z, _, a, a.1, …"""
        for name in self.NAMES:
            add(catalogue, name)
        assert identifiers(catalogue) == sorted(self.NAMES)

    @pytest.mark.parametrize("limit", [1, 5, 12, 100])
    def test_pages(self, catalogue: Catalogue, limit: int) -> None:
        """Pages of any size together are the list."""
        for name in self.NAMES:
            add(catalogue, name)
        pages = [catalogue.pictures("one", offset=o, limit=limit) for o in range(0, len(self.NAMES), limit)]
        assert [p.identifier for page in pages for p in page] == sorted(self.NAMES)
        assert all(len(page) <= limit for page in pages)
        assert catalogue.pictures("one", offset=12) == []

    def test_only_this_channel(self, catalogue: Catalogue) -> None:
        """Other channels' pictures are not listed."""
        catalogue.add_channel("two")
        add(catalogue, "here")
        add(catalogue, "there", "two")
        assert identifiers(catalogue) == ["here"]
        assert (catalogue.count("one"), catalogue.counts()) == (1, {"one": 1, "two": 1})

    def test_all_pictures(self, catalogue: Catalogue) -> None:
        """All pictures come by number, in batches, though some go meanwhile."""
        made = [add(catalogue, f"p.{n}") for n in range(7)]
        walk = catalogue.all_pictures(batch=3)
        first = next(walk)
        catalogue.remove_picture("one", "p.5")
        assert [first.id, *(p.id for p in walk)] == [p.id for p in made if p.identifier != "p.5"]

    def test_nothing(self, catalogue: Catalogue) -> None:
        """An empty catalogue answers emptily."""
        assert (catalogue.pictures("one"), catalogue.count("one"), catalogue.last_seq()) == ([], 0, 0)
        assert (list(catalogue.all_pictures()), catalogue.features([]), catalogue.pictures_by_id([])) == ([], [], {})


class TestWholeChannel:
    """What is asked of all of a channel's pictures at once."""

    def test_uuids(self, catalogue: Catalogue) -> None:
        """In the order of addition, which another image does not change."""
        catalogue.add_channel("whole")
        catalogue.add_channel("other")
        added = [add(catalogue, f"p.{number}", "whole") for number in range(3)]
        add(catalogue, "p.0", "other")
        catalogue.replace_picture("whole", added[0], FEATURES, **FACTS)
        assert catalogue.uuids(catalogue.channel("whole")) == [picture.uuid for picture in added]

    def test_states(self, catalogue: Catalogue) -> None:
        channel = catalogue.add_channel("whole")
        assert catalogue.states(channel, since=0) == {}
        shown, hidden = add(catalogue, "shown", "whole"), add(catalogue, "hidden", "whole", active=False)
        assert catalogue.states(channel, since=0) == {(True, True): 1, (False, True): 1}
        later = max(shown.updated_at, hidden.updated_at)
        assert catalogue.states(channel, since=later) == {(True, False): 1, (False, False): 1}
