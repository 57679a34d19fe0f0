"""Which picture a photo shows, and which pictures are similar to an image."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

from api.accounts.store import User
from api.edge.door import Lane
from api.edge.metrics import Metrics
from api.errors import Busy
from api.rules.access import AccessRules
from api.rules.counts import CountRules
from api.rules.frames import Cameras
from api.rules.misses import MissRules
from engine.catalogue import Channel, Picture
from engine.errors import ImageError
from engine.recognise.answer import Match, Recognition
from engine.recognise.frames import Frames
from engine.recognizer import Recognizer


class RecognitionRules:
    """Channels are looked up in the engine's thread, not before the wait in the queue: they may have changed hands in
    it. The engine gets the Channels of that one look-up."""

    def __init__(
        self,
        recognizer: Recognizer,
        access: AccessRules,
        counts: CountRules,
        lane: Lane,
        metrics: Metrics,
        cameras: Cameras,
        misses: MissRules,
    ) -> None:
        self._recognizer, self._access, self._counts = recognizer, access, counts
        self._lane, self._metrics, self._cameras, self._misses = lane, metrics, cameras, misses

    async def find(
        self,
        user: User,
        channel: str | None,
        photo: bytes,
        *,
        k: int,
        client: str,
        answers: Callable[[Picture], bool] | None = None,
        mirrored: bool = False,
    ) -> Recognition:
        """Recognises the photo in one channel or in all of the user's; an answered match is durably counted,
        once, before this returns. client: whose frames resemble each other, an address or a session; answers: which
        pictures may be told at the moment; None: all; mirrored: as for `Recognizer.recognise`.

        Raises ChannelNotFound, ForeignChannel, the engine's ImageErrors, StatisticsError, Busy.
        """

        recognition = await self.look(
            lambda: self._access.searched_channels(user, channel),
            photo,
            k=k,
            answers=answers,
            frames=self._cameras.of(user.id, channel, client),
            mirrored=mirrored,
        )
        if recognition.answer is None:
            self._misses.offer(user.id, channel, client, photo)
        else:
            await self._counts.count_match(user.id, recognition.answer.picture)
        return recognition

    async def find_several(self, user: User, channel: str | None, photo: bytes, *, most: int) -> Recognition:
        """Every picture that the photo shows; each is counted, once, before this returns. Raises what `find` does."""

        recognition = await self.look_for_several(
            lambda: self._access.searched_channels(user, channel), photo, most=most
        )
        for picture in {match.picture.id: match.picture for match in recognition.results}.values():
            await self._counts.count_match(user.id, picture)
        return recognition

    async def look_for_several(
        self, channels: Callable[[], Sequence[Channel]], photo: bytes, *, most: int
    ) -> Recognition:
        """The same without counting; channels and errors: as for `look`."""
        return await self._observed(lambda: self._recognizer.recognise_several(photo, channels(), most=most))

    async def look(
        self,
        channels: Callable[[], Sequence[Channel]],
        photo: bytes,
        *,
        k: int,
        answers: Callable[[Picture], bool] | None = None,
        frames: Frames | None = None,
        mirrored: bool = False,
    ) -> Recognition:
        """Recognises the photo without counting; channels, answers: called in the engine's thread.

        Raises what `channels` does, the engine's ImageErrors, Busy.
        """

        def work() -> Recognition:
            found = self._recognizer.recognise(photo, channels(), k=k, frames=frames, mirrored=mirrored)
            return found if answers is None else _only(found, answers)

        return await self._observed(work)

    async def compare(self, picture: Picture | bytes, image: bytes) -> Recognition:
        """Whether an image shows a picture, given or stored; nothing is counted, nor observed as a search. Raises
        PictureNotFound, Busy, and the ImageErrors, whose texts begin with which of the two it is."""

        def work() -> Recognition:
            with _named("picture"):
                compared = self._recognizer.describe(picture) if isinstance(picture, bytes) else picture
            with _named("image"):
                return self._recognizer.compare(compared, image)

        return await self._lane.run(work)

    async def _observed(self, work: Callable[[], Recognition]) -> Recognition:
        try:
            recognition = await self._lane.run(work)
        except (ImageError, Busy):
            self._metrics.saw("refused")
            raise
        self._metrics.saw("missed" if recognition.answer is None else "answered")
        self._metrics.observe_stages(recognition.timings_ms)
        return recognition

    async def similar(self, user: User, channel: str, image: bytes) -> list[Match]:
        """The pictures of the channel that are the same as the image's, or nearly, best first; nothing is counted.

        Raises ChannelNotFound, ForeignChannel, the engine's ImageErrors, Busy.
        """
        return await self._lane.run(lambda: self.similar_in([self._access.own_channel(user, channel)], image))

    def similar_in(self, channels: Sequence[Channel], image: bytes) -> list[Match]:
        """The same in channels that were looked up, for who is in the engine's thread already."""
        return [match for match in self._recognizer.similar(image, channels).results if match.accepted]


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """What is said of an image that is refused, with its name."""
    try:
        yield
    except ImageError as error:
        error.args = (f"{name}: {error}",)
        raise


def _only(found: Recognition, answers: Callable[[Picture], bool]) -> Recognition:
    results = tuple(match for match in found.results if answers(match.picture))
    answer = results[0] if results and results[0].accepted else None
    return dataclasses.replace(found, answer=answer, results=results)
