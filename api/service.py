"""The rules that all dialects share: who may do what, what a name and a number may be, what is counted.

Dialects parse a request, call these in the order that their contract prescribes, and render the result.
Plain functions are short reads and changes for the door's catalogue lane; coroutines cross to the engine.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api.accounts.apps import App, Apps
from api.accounts.store import Accounts, User
from api.accounts.vault import Vault
from api.edge.door import Door
from api.edge.limits import MemoryShare, RateLimiter
from api.edge.metrics import DoorNumbers, GallerySizes, Metrics
from api.errors import ForeignChannel, Overdue, SimilarPicture, WrongCredentials
from api.settings import Settings
from api.stats.store import CountStore, DayCount, Question
from api.stats.writer import CountWriter
from engine.catalogue import Catalogue, Channel, Picture
from engine.catalogue.rules import CHANNEL_NAME, IDENTIFIER
from engine.describe.records import from_bytes
from engine.enrol.grades import Grades, grade_picture
from engine.errors import ChannelExists, ChannelNotFound, InvalidValue, PictureNotFound, QuotaExceeded
from engine.recognise.answer import Match, Recognition
from engine.recognizer import Recognizer

Edit = Callable[[Picture], Mapping[str, Any]]
"""From a picture as it is to what shall change of it: metadata, threshold, active, facts."""


@dataclass(frozen=True, kw_only=True)
class NewPicture:
    """What a dialect knows of a picture to add. threshold: least match ratio, 0-100; None: the default; uuid: None:
    one is drawn; unlike_others: refuse it where the channel has a similar one."""

    channel: str
    identifier: str
    metadata: str = ""
    threshold: float | None = None
    active: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    uuid: str | None = None
    unlike_others: bool = False


def check_identifier(identifier: str | None) -> str:
    """Raises InvalidValue."""
    if identifier is None or not IDENTIFIER.fullmatch(identifier):
        raise InvalidValue("identifier", "3 to 50 of A-Z a-z 0-9 @ _ .")
    return identifier


class Service:
    """One data folder's rules. Safe for use by many threads; coroutines belong to the server's event loop.

    ready: whether requests can be answered; stuck: calls hung when the server stopped.
    """

    def __init__(self, settings: Settings, recognizer: Recognizer, *, token: str = "") -> None:
        self.settings, self.recognizer = settings, recognizer
        self.token = token or secrets.token_hex(32)
        self.ready = False
        self.stuck = False
        self.accounts = Accounts(recognizer.catalogue.database)
        self.vault = Vault(recognizer.catalogue.folder)
        self.apps = Apps(recognizer.catalogue.database, self.vault)
        self._comparing, self._editing = threading.Lock(), threading.Lock()
        self.counts = CountStore(recognizer.catalogue.folder)
        self.writer = CountWriter(self.counts, time_zone=settings.time_zone)
        self.door = Door(settings)
        self.rates = RateLimiter(settings.rate_limit_per_minute)
        self.memory = MemoryShare(settings.max_buffered_bytes)
        self.metrics = Metrics()
        self.metrics.registry.register(GallerySizes(recognizer))
        self.metrics.registry.register(DoorNumbers(self.door))

    @property
    def catalogue(self) -> Catalogue:
        return self.recognizer.catalogue

    def close(self) -> None:
        """Commits and checkpoints everything. Nothing may be in flight any more."""
        self.writer.close()
        self.counts.close()
        self.recognizer.close()

    # Who

    def authenticate(self, username: str | None, secret: str | None, *, reads_only: bool) -> User:
        """The user of a key pair. reads_only: the method changes nothing, so that a read-only pair will do.

        Raises WrongCredentials, RateLimited.
        """
        if not username or not secret:
            raise WrongCredentials("username and secretkey are needed")
        user, readonly_pair = self.accounts.verify(username, secret)
        if readonly_pair and not reads_only:
            raise WrongCredentials("this key pair is read-only")
        self.rates.take(user.id)
        return user

    def admit(self, app: App) -> None:
        """Counts a request of an app that has shown who it is. Raises RateLimited."""
        self.rates.take(app.user.id)

    def own_channel(self, user: User, name: str | None) -> Channel:
        """Raises ChannelNotFound, ForeignChannel."""
        channel = self.any_channel(name)
        if channel.owner != user.id:
            raise ForeignChannel(channel.name)
        return channel

    def any_channel(self, name: str | None) -> Channel:
        """A channel whoever owns it. Raises ChannelNotFound."""
        if name is None or not CHANNEL_NAME.fullmatch(name):
            raise ChannelNotFound((name or "")[:64])
        return self.catalogue.channel(name)

    def searched_channels(self, user: User, name: str | None) -> list[str]:
        """The channel asked for, or all of the user's. Raises ChannelNotFound, ForeignChannel."""
        if name is None:
            return [channel.name for channel in self.catalogue.channels(owner=user.id)]
        return [self.own_channel(user, name).name]

    # Pictures

    def check_room(self, new: NewPicture) -> None:
        """Raises IdentifierTaken, QuotaExceeded."""
        try:
            self.catalogue.check_room(new.channel, new.identifier)
        except ChannelNotFound:
            if not self.settings.auto_create_channel:
                raise
            if self.settings.default_quota == 0:
                raise QuotaExceeded(new.channel, 0) from None

    def channel_for_adding(self, user: User, name: str | None) -> str:
        """The name of the user's channel; one that does not exist yet is let through where settings say so.

        Raises ChannelNotFound, ForeignChannel.
        """
        try:
            return self.own_channel(user, name).name
        except ChannelNotFound:
            if not self.settings.auto_create_channel or name is None or not CHANNEL_NAME.fullmatch(name):
                raise
            return name

    async def add(self, user: User, new: NewPicture, image: bytes) -> Picture:
        """Durable and searchable when it returns. Raises what `Recognizer.add` does, ForeignChannel, SimilarPicture,
        Busy."""
        return await self.door.engine.run(lambda: self._add(user, new, image))

    def _add(self, user: User, new: NewPicture, image: bytes) -> Picture:
        self._ensure_channel(user, new.channel)
        if not new.unlike_others:
            return self._add_now(new, image)
        with self._comparing:  # of two that are alike, and come at once, one is refused
            self._refuse_similar(new.channel, image)
            return self._add_now(new, image)

    def _add_now(self, new: NewPicture, image: bytes) -> Picture:
        return self.recognizer.add(
            new.channel,
            new.identifier,
            image,
            metadata=new.metadata,
            threshold=new.threshold,
            active=new.active,
            facts=new.facts,
            uuid=new.uuid,
        )

    def _refuse_similar(self, channel: str, image: bytes, *, but: str = "") -> None:
        """but: UUID of a picture that does not count."""
        for match in self._similar(channel, image):
            if match.picture.uuid != but:
                raise SimilarPicture(channel, match.picture.identifier)

    def change(self, picture: Picture, edit: Edit) -> Picture:
        """Raises what `Recognizer.update` does."""
        with self._editing:
            current = self.catalogue.picture(picture.channel, picture.identifier)
            return self.recognizer.update(current.channel, current.identifier, **edit(current))

    async def replace(
        self, user: User, picture: Picture, image: bytes, edit: Edit, *, unlike_others: Callable[[Picture], bool]
    ) -> Picture:
        """Another image for the picture, and the edit with it; unlike_others: as in NewPicture, by the picture as it
        is. Raises what `Recognizer.replace` does, ForeignChannel, SimilarPicture, Busy."""

        def work() -> Picture:
            self.own_channel(user, picture.channel)
            with self._comparing:
                current = self.catalogue.picture(picture.channel, picture.identifier)
                if unlike_others(current):
                    self._refuse_similar(picture.channel, image, but=picture.uuid)
                with self._editing:
                    current = self.catalogue.picture(picture.channel, picture.identifier)
                    return self.recognizer.replace(current.channel, current.identifier, image, **edit(current))

        return await self.door.engine.run(work)

    def _ensure_channel(self, user: User, name: str) -> None:
        """The channel may have changed hands, or gone, while the request waited."""
        try:
            self.own_channel(user, name)
        except ChannelNotFound:
            if not self.settings.auto_create_channel:
                raise
            try:
                self.catalogue.add_channel(name, owner=user.id, quota=self.settings.default_quota)
            except ChannelExists:
                self.own_channel(user, name)

    def remove(self, channel: Channel, identifier: str) -> bool:
        """Whether there was such a picture."""
        return self.recognizer.remove(channel.name, identifier)

    def picture(self, channel: Channel, identifier: str | None) -> Picture:
        """Raises PictureNotFound, for a malformed identifier as well."""
        if identifier is None or not IDENTIFIER.fullmatch(identifier):
            raise PictureNotFound(channel.name, (identifier or "")[:50])
        return self.catalogue.picture(channel.name, identifier)

    def picture_by_uuid(self, channel: str, uuid: str) -> Picture:
        """Raises PictureNotFound, for a picture of another channel as well."""
        picture = self.catalogue.picture_by_uuid(uuid.lower())
        if picture is None or picture.channel != channel:
            raise PictureNotFound(channel, uuid[:50])
        return picture

    def grades(self, picture: Picture) -> Grades:
        """Raises PictureNotFound where it was removed meanwhile."""
        found = self.catalogue.features([picture.id])
        if not found:
            raise PictureNotFound(picture.channel, picture.identifier)
        rows, jpeg = from_bytes(found[0][3]), self.catalogue.rendition(picture.id)
        return grade_picture(rows, (picture.width, picture.height), level=picture.level, jpeg=jpeg)

    async def grade(self, image: bytes) -> tuple[int, Grades]:
        """The level that a picture would have, and its grades. Raises the ImageErrors, Busy."""

        def work() -> tuple[int, Grades]:
            would = self.recognizer.describe(image)
            rows = from_bytes(would.features.keypoints)
            return would.level, grade_picture(rows, would.size, level=would.level, jpeg=would.features.jpeg)

        return await self.door.engine.run(work)

    def threshold(self, picture: Picture) -> float:
        """The least match ratio, 0-100, at which the picture is answered."""
        return self.recognizer.default_threshold if picture.threshold is None else picture.threshold

    # Recognition and counts

    async def find(self, user: User, channel: str | None, photo: bytes, *, k: int) -> Recognition:
        """Recognises the photo in one channel or in all of the user's; an answered match is durably counted,
        once, before this returns.

        Raises ChannelNotFound, ForeignChannel, the engine's ImageErrors, StatisticsError, Busy.
        """
        recognition = await self.door.engine.run(lambda: self._find(user, channel, photo, k=k))
        self.metrics.observe_stages(recognition.timings_ms)
        if recognition.answer is not None:
            picture = recognition.answer.picture
            await self._committed(self.writer.count(user.id, picture.channel, picture.identifier))
        return recognition

    def _find(self, user: User, channel: str | None, photo: bytes, *, k: int) -> Recognition:
        """Channels are looked up here, not before the wait in the queue: they may have changed hands in it."""
        try:
            return self.recognizer.recognise(photo, self.searched_channels(user, channel), k=k)
        except ChannelNotFound:
            if channel is not None:
                raise
            # One of the user's channels was removed in this very moment; the others are still to be searched.
            return self.recognizer.recognise(photo, self.searched_channels(user, None), k=k)

    async def similar(self, user: User, channel: str, image: bytes) -> list[Match]:
        """The pictures of the channel that are the same as the image's, or nearly, best first; nothing is counted.

        Raises ChannelNotFound, ForeignChannel, the engine's ImageErrors, Busy.
        """

        def work() -> list[Match]:
            self.own_channel(user, channel)
            return self._similar(channel, image)

        return await self.door.engine.run(work)

    def _similar(self, channel: str, image: bytes) -> list[Match]:
        return [match for match in self.recognizer.similar(image, [channel]).results if match.accepted]

    async def _committed(self, count: concurrent.futures.Future[None]) -> None:
        waiting = asyncio.wrap_future(count)
        done, _ = await asyncio.wait({waiting}, timeout=self.settings.deadline_seconds)
        if not done:
            raise Overdue("the count is not written yet", retry_after_seconds=self.settings.retry_after_seconds)
        waiting.result()

    def matches_by_day(
        self, user: User, days: tuple[dt.date, dt.date], *, channel: Channel | None, identifier: str | None
    ) -> list[DayCount]:
        """Counts by day and, without a channel, by channel; with one, by identifier.

        Raises PictureNotFound for an identifier that neither exists there nor was ever counted.
        """
        name = channel.name if channel else None
        if identifier is not None and not self._known(user, channel, identifier):
            raise PictureNotFound(name or "", identifier[:50])
        question = Question(first=days[0], last=days[1], user_id=user.id, channel=name, identifier=identifier)
        return self.counts.by_day(question, group="identifier" if channel else "channel")

    def _known(self, user: User, channel: Channel | None, identifier: str) -> bool:
        if not IDENTIFIER.fullmatch(identifier):
            return False
        places = [channel] if channel else self.catalogue.channels(owner=user.id)
        return any(self._exists(place, identifier) for place in places) or self.counts.ever_counted(
            user.id, identifier, channel=channel.name if channel else None
        )

    def _exists(self, channel: Channel, identifier: str) -> bool:
        try:
            self.catalogue.picture(channel.name, identifier)
        except (PictureNotFound, ChannelNotFound):
            return False
        return True
