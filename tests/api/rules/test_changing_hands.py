"""Who was let into a channel, or has looked a picture up, and waits: the write hits that channel and that picture, or
none. What happens meanwhile happens here exactly then: while the image is described, or while an edit is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.accounts.store import Accounts, User
from api.errors import ForeignChannel
from api.rules.pictures import NewPicture
from api.service import Service
from api.settings import Settings
from engine.catalogue import Catalogue, Channel, Picture, PictureChanges, StoredFeatures
from engine.enrol.preparation import PreparedPicture
from engine.errors import ChannelNotFound, ObverseError, PictureNotFound
from engine.recognizer import Recognizer

FEATURES = StoredFeatures(keypoints=bytes(16 * 20), vector=bytes(1024))
Meanwhile = Callable[[Catalogue], None]


class Waiting:
    """The service with alice's and bob's channels, and what happens while a write waits."""

    def __init__(self, service: Service) -> None:
        self.service, self.catalogue = service, service.catalogue
        accounts = Accounts(self.catalogue.database)
        for name in ("alice", "bob"):
            accounts.add_user(name)
        self.alice, self.bob = accounts.user("alice"), accounts.user("bob")
        self.catalogue.add_channel("hers", owner=self.alice.id)
        self.catalogue.add_channel("his", owner=self.bob.id)
        self.picture = self.add("hers", "abc", "hers")
        self.meanwhile: Meanwhile = lambda _: None

    def add(self, channel: str, identifier: str, metadata: str) -> Picture:
        return self.catalogue.add_picture(
            channel, identifier, FEATURES, level=3, size=(9, 9), keypoints=20, metadata=metadata
        )

    def describe(self, image: bytes, *, trim: bool = True) -> PreparedPicture:  # noqa: ARG002
        """Stands for the engine's look at the image, which takes its time."""
        self.meanwhile(self.catalogue)
        return PreparedPicture(features=FEATURES, level=3, size=(9, 9), keypoints=20)

    def edit(self, _: Picture) -> PictureChanges:
        self.meanwhile(self.catalogue)
        return {"metadata": "changed"}

    # The writes, as the dialects make them

    def adding(self) -> Picture:
        new = NewPicture(channel="hers", identifier="new", metadata="secret")
        return asyncio.run(self.service.pictures.add(self.alice, new, b"image"))

    def changing(self) -> Picture:
        return self.service.pictures.change(self.alice, self.picture, self.edit)

    def updating(self) -> Picture:
        channel = self.catalogue.channel("hers")
        picture = self.service.pictures.picture(channel, "abc")
        self.meanwhile(self.catalogue)
        return self.service.pictures.update(channel, picture, {"metadata": "changed"})

    def replacing(self) -> Picture:
        return asyncio.run(
            self.service.pictures.replace(
                self.alice, self.picture, b"image", lambda _: {"metadata": "changed"}, unlike_others=lambda _: False
            )
        )

    def removing(self) -> bool:
        channel = self.catalogue.channel("hers")
        self.meanwhile(self.catalogue)
        return self.service.pictures.remove(channel, self.picture)

    def removing_by_name(self) -> bool:
        channel = self.catalogue.channel("hers")
        self.meanwhile(self.catalogue)
        return self.service.pictures.remove(channel, "abc")


WRITES = ("adding", "changing", "updating", "replacing", "removing", "removing_by_name")


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    recognizer = Recognizer.open(tmp_path)
    service = Service(Settings(engine_workers=1), recognizer)
    made = Waiting(service)
    monkeypatch.setattr(recognizer, "describe", made.describe)
    yield made
    service.close()


def given_to(_: Waiting, user: User) -> Meanwhile:
    """The channel itself becomes the user's."""
    return lambda catalogue: catalogue.update_channel("hers", owner=user.id, quota=None) and None


def made_anew_for(waiting: Waiting, user: User) -> Meanwhile:
    """The channel is removed, and another of its name made."""

    def work(catalogue: Catalogue) -> None:
        catalogue.remove_channel("hers")
        catalogue.add_channel("hers", owner=user.id)
        waiting.add("hers", "abc", "of the other channel")

    return work


def all_of(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    return [(p.channel, p.identifier, p.uuid, p.metadata) for p in catalogue.all_pictures()]


def refused(waiting: Waiting, write: str, meanwhile: Meanwhile) -> ObverseError:
    """What the write raises. Nothing has changed but what happened meanwhile."""
    after: list[Any] = []
    happened: list[Channel] = []

    def once(catalogue: Catalogue) -> None:
        if not happened:
            meanwhile(catalogue)
            happened.extend(catalogue.channels())
            after.extend(all_of(catalogue))

    waiting.meanwhile = once
    with pytest.raises(ObverseError) as caught:
        getattr(waiting, write)()
    assert happened
    assert all_of(waiting.catalogue) == after
    return caught.value


class TestChannel:
    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("becomes", [given_to, made_anew_for])
    def test_is_another_users_now(
        self, waiting: Waiting, write: str, becomes: Callable[[Waiting, User], Meanwhile]
    ) -> None:
        """As it would be told who comes a moment later: it belongs to another user."""
        error = refused(waiting, write, becomes(waiting, waiting.bob))
        assert isinstance(error, ForeignChannel)

    @pytest.mark.parametrize("write", WRITES)
    def test_is_another_of_the_same_user(self, waiting: Waiting, write: str) -> None:
        assert isinstance(refused(waiting, write, made_anew_for(waiting, waiting.alice)), ChannelNotFound)

    @pytest.mark.parametrize("write", WRITES)
    def test_is_gone(self, waiting: Waiting, write: str) -> None:
        error = refused(waiting, write, lambda catalogue: catalogue.remove_channel("hers") and None)
        assert isinstance(error, ChannelNotFound)

    @pytest.mark.parametrize("write", WRITES)
    def test_is_as_it_was(self, waiting: Waiting, write: str) -> None:
        """Another quota, or another picture in it, turns nobody away."""

        def work(catalogue: Catalogue) -> None:
            catalogue.update_channel("hers", owner=waiting.alice.id, quota=None)

        waiting.meanwhile = work
        assert getattr(waiting, write)()


class TestPicture:
    @pytest.mark.parametrize("write", ["changing", "updating", "replacing"])
    def test_has_given_its_name_away(self, waiting: Waiting, write: str) -> None:
        """`PUT /target/A` while A is removed and its identifier given to B: A is gone, and B stays as it is."""

        def work(catalogue: Catalogue) -> None:
            catalogue.remove_picture("hers", "abc")
            waiting.add("hers", "abc", "B")

        assert isinstance(refused(waiting, write, work), PictureNotFound)

    def test_removing_one_that_has_given_its_name_away(self, waiting: Waiting) -> None:
        def work(catalogue: Catalogue) -> None:
            catalogue.remove_picture("hers", "abc")
            waiting.add("hers", "abc", "B")

        waiting.meanwhile = work
        assert waiting.removing() is False
        assert [metadata for *_, metadata in all_of(waiting.catalogue)] == ["B"]

    @pytest.mark.parametrize("write", ["changing", "updating", "replacing"])
    def test_has_another_name_now(self, waiting: Waiting, write: str) -> None:
        """It is the one that was looked up, whatever it is called."""

        def work(catalogue: Catalogue) -> None:
            if catalogue.picture_by_uuid(waiting.picture.uuid).identifier == "abc":  # type: ignore[union-attr]
                catalogue.update_picture("hers", "abc", identifier="renamed")
                waiting.add("hers", "abc", "B")

        waiting.meanwhile = work
        changed = getattr(waiting, write)()
        assert (changed.identifier, changed.uuid, changed.metadata) == ("renamed", waiting.picture.uuid, "changed")
        assert waiting.catalogue.picture("hers", "abc").metadata == "B"
