"""Which channels a search gets, how often they are looked up, and when."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api.accounts.store import Accounts, User
from api.dialects.kivicube.methods import find_image
from api.edge.body import Form
from api.errors import BodyTooLarge, ForeignChannel
from api.service import Service
from api.settings import Settings
from engine.catalogue import Catalogue, Channel
from engine.errors import ChannelNotFound, InvalidValue
from engine.recognise.answer import Recognition


class Recording:
    """Stands for the Recognizer: finds nothing, and keeps the channels that it was given."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.searched: list[Sequence[Channel]] = []

    def recognise(self, photo: bytes, channels: Sequence[Channel], *, k: int, **_given: object) -> Recognition:  # noqa: ARG002
        self.searched.append(channels)
        return Recognition(answer=None, results=(), timings_ms={}, photo_size=(1, 1))

    def similar(self, image: bytes, channels: Sequence[Channel]) -> Recognition:
        return self.recognise(image, channels, k=10)

    def info(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.catalogue.close()


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(Catalogue(tmp_path))


@pytest.fixture
def service(recording: Recording) -> Iterator[Service]:
    """With two users, "alice" of the channels a, b and c, and "bob" of d."""
    service = Service(Settings(engine_workers=1, max_image_bytes=1_000), recording)  # type: ignore[arg-type]
    accounts = Accounts(service.catalogue.database)
    for name, channels in (("alice", "abc"), ("bob", "d")):
        accounts.add_user(name)
        for channel in channels:
            service.catalogue.add_channel(channel, owner=accounts.user(name).id)
    yield service
    service.close()


@pytest.fixture
def alice(service: Service) -> User:
    return Accounts(service.catalogue.database).user("alice")


@pytest.fixture
def lookups(service: Service, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the catalogue was asked for a channel, and for a user's channels."""
    counted: Counter[str] = Counter()

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(service.catalogue, name)

        def call(*arguments: Any, **named: Any) -> Any:
            counted[name] += 1
            return real(*arguments, **named)

        return call

    for name in ("channel", "channels", "channel_numbers"):
        monkeypatch.setattr(service.catalogue, name, counting(name))
    return counted


def ask(service: Service, keys: dict[str, str], **fields: str) -> None:
    """A FindImage as the Kivicube dialect makes it of a form."""
    form = Form(values={**keys, **fields}, files={"image": b"photo"})
    asyncio.run(find_image(service, form))


class TestChannels:
    def test_one(self, service: Service, recording: Recording, alice: User, lookups: Counter[str]) -> None:
        asyncio.run(service.recognition.find(alice, "b", b"photo", k=1, client="here"))
        assert [channel.name for channel in recording.searched[0]] == ["b"]
        assert lookups == {"channel": 1}

    def test_all(self, service: Service, recording: Recording, alice: User, lookups: Counter[str]) -> None:
        """Those of one query; the engine need not look them up again."""
        asyncio.run(service.recognition.find(alice, None, b"photo", k=1, client="here"))
        assert all(isinstance(channel, Channel) for channel in recording.searched[0])
        assert [channel.name for channel in recording.searched[0]] == ["a", "b", "c"]
        assert lookups == {"channels": 1}

    def test_similar(self, service: Service, recording: Recording, alice: User, lookups: Counter[str]) -> None:
        asyncio.run(service.recognition.similar(alice, "a", b"image"))
        assert [channel.name for channel in recording.searched[0]] == ["a"]
        assert lookups == {"channel": 1}

    @pytest.mark.parametrize(
        ("channel", "error"), [("d", ForeignChannel), ("e", ChannelNotFound), ("/", ChannelNotFound)]
    )
    def test_refused(
        self, service: Service, recording: Recording, alice: User, channel: str, error: type[Exception]
    ) -> None:
        for search in (
            service.recognition.find(alice, channel, b"photo", k=1, client="here"),
            service.recognition.similar(alice, channel, b"photo"),
        ):
            with pytest.raises(error):
                asyncio.run(search)
        assert recording.searched == []

    def test_changes_hands_in_the_queue(self, service: Service, recording: Recording, alice: User) -> None:
        """What counts is whose the channel is when the search begins."""

        async def use() -> None:
            release = threading.Event()
            running = asyncio.create_task(service.door.long.run(lambda: release.wait(timeout=20)))
            waiting = asyncio.create_task(service.recognition.find(alice, "a", b"photo", k=1, client="here"))
            await asyncio.sleep(0.05)
            service.catalogue.update_channel("a", owner=alice.id + 1, quota=None)
            release.set()
            assert await running
            with pytest.raises(ForeignChannel):
                await waiting

        asyncio.run(use())
        assert recording.searched == []


class TestFindImage:
    """The method of the Kivicube dialect, whose contract says which error comes first."""

    @pytest.fixture
    def keys(self, service: Service) -> dict[str, str]:
        pair = Accounts(service.catalogue.database).rotate_keys("alice").full
        return {"username": pair.username, "secretkey": pair.secretkey}

    def test_one_look_up(
        self, service: Service, recording: Recording, keys: dict[str, str], lookups: Counter[str]
    ) -> None:
        ask(service, keys, channel="b", limit="3")
        ask(service, keys)
        assert [[channel.name for channel in searched] for searched in recording.searched] == [["b"], ["a", "b", "c"]]
        assert lookups == {"channel": 1, "channels": 1}

    @pytest.mark.parametrize("fields", [{"limit": "x"}, {"explain": "x"}, {}])
    def test_the_channel_comes_before_values_and_size(
        self, service: Service, keys: dict[str, str], fields: dict[str, str], lookups: Counter[str]
    ) -> None:
        """20003 and 20004 before 20010 and 20006, and no second look-up for it."""
        large = not fields
        for channel, error in (
            ("e", ChannelNotFound),
            ("d", ForeignChannel),
            ("a", BodyTooLarge if large else InvalidValue),
        ):
            form = Form(
                values={**keys, **fields, "channel": channel},
                files={"image": b""},
                files_too_large={"image"} if large else set(),
            )
            with pytest.raises(error):
                asyncio.run(find_image(service, form))
        assert lookups == {"channel": 3}
