"""Adding, changing, removing and showing pictures.

Who is let into a channel, or has looked a picture up, waits then: for a thread, for the description of the image. The
write is therefore handed the Channel and the Picture themselves, never their names, which may be another's by then.

Two locks: two images that are alike and come at once must not both be let in, and of two edits that come at once
none may be lost. Who needs both takes them in this order.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from api.accounts.store import User
from api.edge.door import Lane
from api.errors import ForeignChannel, SimilarPicture
from api.rules.access import AccessRules
from api.rules.recognition import RecognitionRules
from api.settings import Settings
from engine.catalogue import Channel, Picture, PictureChanges, rules
from engine.describe.records import frame_size, from_bytes, unpack
from engine.enrol.quality import Grades, grade_picture
from engine.errors import ChannelNotFound, DamagedData, PictureNotFound, QuotaExceeded
from engine.image import decode_kept, encode_jpeg, resize_long_side, to_gray
from engine.recognizer import Recognizer
from engine.upkeep.archives import Entry, add_entry
from engine.values import FloatArray

__all__ = ["Edit", "Grades", "NewPicture", "PictureRules", "check_identifier"]

_log = logging.getLogger(__name__)

TRACKED_SIDE = 640
"""Longer side, in pixels, of the image that clients track, at most."""
Edit = Callable[[Picture], PictureChanges]
"""From a picture as it is to what shall change of it: metadata, threshold, active, facts."""


@dataclass(frozen=True, kw_only=True)
class NewPicture:
    """What a dialect knows of a picture to add."""

    channel: str
    """The name of the user's channel, which may be still to be made."""
    identifier: str
    """Its name in the channel, unique there."""
    metadata: str = ""
    """Any text, which is never parsed."""
    threshold: float | None = None
    """Least match ratio of an answer, 0-100; None: the default."""
    active: bool = True
    """False hides it from recognition."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the dialect stores beside the rest."""
    uuid: str | None = None
    """None: one is drawn."""
    unlike_others: bool = False
    """It is refused where the channel has a similar one."""


def check_identifier(identifier: str | None) -> str:
    """The identifier of a picture to add. Raises InvalidValue, also where there is none."""
    given = identifier or ""
    rules.check_identifier(given)
    return given


class PictureRules:
    """Safe for use by many threads; coroutines belong to the server's event loop."""

    def __init__(
        self,
        settings: Settings,
        recognizer: Recognizer,
        access: AccessRules,
        recognition: RecognitionRules,
        lane: Lane,
    ) -> None:
        self._settings, self._recognizer, self._catalogue = settings, recognizer, recognizer.catalogue
        self._access, self._recognition, self._lane = access, recognition, lane
        self._comparing, self._editing = threading.Lock(), threading.Lock()

    def check_room(self, new: NewPicture) -> None:
        """Raises IdentifierTaken, QuotaExceeded."""
        try:
            self._catalogue.check_room(new.channel, new.identifier)
        except ChannelNotFound:
            if not self._settings.auto_create_channel:
                raise
            if self._settings.default_quota == 0:
                raise QuotaExceeded(new.channel, 0) from None

    async def add(self, user: User, new: NewPicture, image: bytes) -> Picture:
        """Durable and searchable when it returns. Raises what `Recognizer.add` does, ForeignChannel, SimilarPicture,
        Busy."""

        def work() -> Picture:
            channel = self._access.ensure_channel(user, new.channel)
            if not new.unlike_others:
                return self._add(channel, new, image)
            with self._comparing:
                self._refuse_similar(channel, image)
                return self._add(channel, new, image)

        return await self._lane.run(work)

    async def add_to(self, channel: Channel, new: NewPicture, image: bytes) -> Picture:
        """The same in a channel that was looked up, whoever owns it, for who may do so."""
        return await self._lane.run(lambda: self._add(channel, new, image))

    async def add_entry(self, user: User, channel: str, entry: Entry, image: bytes) -> Picture | None:
        """One of an import: None where it is there already. Raises what `add` does."""

        def work() -> Picture | None:
            owned = self._access.ensure_channel(user, channel)
            with self._told_as_it_is(owned):
                return add_entry(self._recognizer, owned, entry, image)

        return await self._lane.run(work)

    def _add(self, channel: Channel, new: NewPicture, image: bytes) -> Picture:
        with self._told_as_it_is(channel):
            return self._recognizer.add(
                channel,
                new.identifier,
                image,
                metadata=new.metadata,
                threshold=new.threshold,
                active=new.active,
                facts=new.facts,
                uuid=new.uuid,
            )

    @contextlib.contextmanager
    def _told_as_it_is(self, channel: Channel) -> Iterator[None]:
        """For writes: a channel that is not the one that was looked up any more is told as any other would be that now
        has its name. Raises ForeignChannel where that is another owner's."""
        try:
            yield
        except ChannelNotFound:
            if self._access.any_channel(channel.name).owner != channel.owner:
                raise ForeignChannel(channel.name) from None
            raise

    def _refuse_similar(self, channel: Channel, image: bytes, *, but: str = "") -> None:
        """but: UUID of a picture that does not count."""
        for match in self._recognition.similar_in([channel], image):
            if match.picture.uuid != but:
                raise SimilarPicture(channel.name, match.picture.identifier)

    def change(self, user: User, picture: Picture, edit: Edit) -> Picture:
        """Raises what `Recognizer.update` does, ForeignChannel."""
        channel = self._access.own_channel(user, picture.channel)
        with self._told_as_it_is(channel), self._editing:
            return self._recognizer.update(channel, picture, **edit(self._catalogue.picture(channel, picture)))

    def update(self, channel: Channel, picture: Picture, changes: PictureChanges) -> Picture:
        """The same for who changes without regard to what is there."""
        with self._told_as_it_is(channel):
            return self._recognizer.update(channel, picture, **changes)

    async def replace(
        self, user: User, picture: Picture, image: bytes, edit: Edit, *, unlike_others: Callable[[Picture], bool]
    ) -> Picture:
        """Another image for the picture, and the edit with it; unlike_others: as in NewPicture, by the picture as it
        is. Raises what `Recognizer.replace` does, ForeignChannel, SimilarPicture, Busy."""

        def work() -> Picture:
            channel = self._access.own_channel(user, picture.channel)
            with self._told_as_it_is(channel), self._comparing:
                if unlike_others(self._catalogue.picture(channel, picture)):
                    self._refuse_similar(channel, image, but=picture.uuid)
                with self._editing:
                    changes = edit(self._catalogue.picture(channel, picture))
                    return self._recognizer.replace(channel, picture, image, **changes)

        return await self._lane.run(work)

    def remove(self, channel: Channel, picture: Picture | str | None) -> bool:
        """Whether there was such a picture, given itself or by its identifier. Raises PictureNotFound for a malformed
        identifier, ForeignChannel."""
        chosen = picture if isinstance(picture, Picture) else _possible(channel, picture)
        with self._told_as_it_is(channel):
            return self._recognizer.remove(channel, chosen)

    def picture(self, channel: Channel, identifier: str | None) -> Picture:
        """Raises PictureNotFound, for a malformed identifier as well."""
        return self._catalogue.picture(channel, _possible(channel, identifier))

    def picture_by_uuid(self, channel: str, uuid: str) -> Picture:
        """Raises PictureNotFound, for a picture of another channel as well."""
        picture = self._catalogue.picture_by_uuid(uuid.lower())
        if picture is None or picture.channel != channel:
            raise PictureNotFound(channel, uuid[:50])
        return picture

    def threshold(self, picture: Picture) -> float:
        """The least match ratio, 0-100, at which the picture is answered."""
        return self._recognizer.default_threshold if picture.threshold is None else picture.threshold

    def keypoints(self, picture: Picture) -> FloatArray:
        """(N, 2) float32, where its keypoints lie, as shares of width and height, 0-1. Raises PictureNotFound where it
        was removed meanwhile."""
        found = self._catalogue.features([picture.id])
        if not found:
            raise PictureNotFound(picture.channel, picture.identifier)
        xy = unpack(from_bytes(found[0][3]))[0]
        shares: FloatArray = (xy / np.array(frame_size((picture.width, picture.height)))).astype(np.float32)
        return shares

    def grades(self, picture: Picture) -> Grades:
        """Raises PictureNotFound where it was removed meanwhile."""
        found = self._catalogue.features([picture.id])
        if not found:
            raise PictureNotFound(picture.channel, picture.identifier)
        rows, jpeg = from_bytes(found[0][3]), self._catalogue.rendition(picture.id)
        return grade_picture(rows, (picture.width, picture.height), level=picture.level, jpeg=jpeg)

    async def grade(self, image: bytes) -> tuple[int, Grades]:
        """The level that a picture would have, and its grades. Raises the ImageErrors, Busy."""

        def work() -> tuple[int, Grades]:
            would = self._recognizer.describe(image)
            rows = from_bytes(would.features.keypoints)
            return would.level, grade_picture(rows, would.size, level=would.level, jpeg=would.features.jpeg)

        return await self._lane.run(work)

    def tracking_image(self, picture: Picture) -> bytes | None:
        """The kept picture as a grey JPEG of 640 pixels at most, which clients track; None where the gallery keeps no
        pictures, or a damaged one, which the log names: nothing is wrong with what was asked."""
        jpeg = self._catalogue.rendition(picture.id)
        if jpeg is None:
            return None
        try:
            kept = decode_kept(jpeg, long_side=TRACKED_SIDE)
        except DamagedData as error:
            _log.error(
                "picture %s of channel %s is told without its image: %s", picture.identifier, picture.channel, error
            )
            return None
        return encode_jpeg(to_gray(resize_long_side(kept, min(TRACKED_SIDE, max(kept.shape[:2])))))


def _possible(channel: Channel, identifier: str | None) -> str:
    """The identifier of a picture that may be there: a malformed one is of none. Raises PictureNotFound."""
    if identifier is None or not rules.IDENTIFIER.fullmatch(identifier):
        raise PictureNotFound(channel.name, (identifier or "")[:50])
    return identifier
