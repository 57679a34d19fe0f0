"""Which missed photos are kept, and what they show together.

A photo is looked at after its client was answered, one at a time and in the engine's lane: where there is more to do,
it is not kept. What is kept is made anew from its pixels, without the notes of the camera that took it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sqlite3
import time
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np

from api.edge.door import Lane
from api.errors import Busy
from api.misses.store import WHOLE, Box, Cluster, Miss, MissStore, remove_all
from api.settings import Settings
from engine.catalogue import Catalogue
from engine.describe.records import frame_size
from engine.errors import ObverseError
from engine.image import EncodedImage, encode_jpeg, resize_long_side, to_gray
from engine.recognise.answer import Match
from engine.recognizer import Recognizer
from engine.values import ColorImage

_log = logging.getLogger(__name__)

SIDE = 640
"""Longer side of a kept photo in pixels, at most."""
MOST = 5_000
"""Photos that are kept, about 100 KB each; beyond it the oldest go."""
EVERY_SECONDS = 2.0
"""Of one client no more photos are looked at than one in so long: a camera sends several a second of the same thing."""
WAITING = 4
"""Photos that wait to be looked at; beyond it they are not kept."""
NEAREST = 3
"""Clusters with which a photo is compared, by the global descriptor."""
SAME_INLIERS = 20
"""Points that agree from which on two photos show the same: see docs/measurements.md."""
_MOST_CLIENTS = 1_000
_PURGE_SECONDS = 600.0


@dataclass(frozen=True)
class _Offered:
    user_id: int
    channel: str
    photo: bytes


class MissRules:
    """`offer` and `run` belong to the server's event loop; the rest is safe for use by many threads."""

    def __init__(self, settings: Settings, catalogue: Catalogue, recognizer: Recognizer, lane: Lane) -> None:
        self._settings, self._recognizer, self._lane = settings, recognizer, lane
        self._queue: asyncio.Queue[_Offered] = asyncio.Queue(WAITING)
        self._seen: OrderedDict[tuple[int, str | None, str], float] = OrderedDict()
        self.store: MissStore | None = None
        if catalogue.read_only:
            return
        if not settings.keep_misses_hours:
            try:
                remove_all(catalogue.folder)  # of a time when they were kept
            except OSError as error:
                _log.error("missed photos of before cannot be removed: %s", error)
            return
        try:
            self.store = MissStore(catalogue.folder)
        except sqlite3.Error:
            _log.exception("missed photos cannot be kept")

    @property
    def on(self) -> bool:
        """Whether any are kept."""
        return self.store is not None

    def offer(self, user_id: int, channel: str | None, client: str, photo: bytes) -> None:
        """A photo that matched nothing. It is kept where that is on, not too many come, and it shows enough."""
        if self.store is None:
            return
        key, now = (user_id, channel, client), time.monotonic()
        if now - self._seen.get(key, -EVERY_SECONDS) < EVERY_SECONDS or self._queue.full():
            return
        self._seen[key] = now
        self._seen.move_to_end(key)
        if len(self._seen) > _MOST_CLIENTS:
            self._seen.popitem(last=False)
        self._queue.put_nowait(_Offered(user_id, channel or "", photo))

    async def run(self) -> None:
        """Keeps what is offered, and forgets what is old, until it is cancelled."""
        if self.store is None:
            return
        purged = -_PURGE_SECONDS
        while True:
            if time.monotonic() - purged >= _PURGE_SECONDS:
                purged = time.monotonic()
                await asyncio.to_thread(self._purge)
            try:
                offered = await asyncio.wait_for(self._queue.get(), timeout=_PURGE_SECONDS)
                await self._lane.run(lambda: self._keep(offered))  # noqa: B023  # it is run before the next turn
            except (TimeoutError, Busy, ObverseError):  # nothing came, or no time for it, or it shows too little
                continue
            except Exception:  # whatever it is: what is old must go all the same
                _log.exception("a missed photo cannot be kept")

    def clusters(self, *, user_id: int | None, limit: int) -> list[Cluster]:
        """Most photos first; user_id: None: everybody's."""
        return [] if self.store is None else self.store.clusters(user_id=user_id, limit=limit)

    def cropped(self, number: int, box: Box) -> bytes | None:
        """JPEG of a part of a kept photo; None where it is gone."""
        jpeg = None if self.store is None else self.store.jpeg(number)
        if jpeg is None:
            return None
        image = EncodedImage(jpeg).pixels(SIDE)
        height, width = image.shape[:2]
        left, top, right, bottom = box
        rows = slice(int(top * height), max(int(top * height) + 1, round(bottom * height)))
        columns = slice(int(left * width), max(int(left * width) + 1, round(right * width)))
        return encode_jpeg(np.ascontiguousarray(image[rows, columns]), quality=92)

    def close(self) -> None:
        if self.store is not None:
            self.store.close()

    def _purge(self) -> None:
        assert self.store is not None
        try:
            self.store.purge(before=time.time() - 3_600 * self._settings.keep_misses_hours, most=MOST)
        except sqlite3.Error:
            _log.exception("old misses cannot be removed")

    def _keep(self, offered: _Offered) -> None:
        """Raises the ImageErrors, TooFewFeatures among them, and sqlite3.Error."""
        assert self.store is not None
        image = self._shrunk(offered.photo)
        jpeg = encode_jpeg(image)
        prepared = self._recognizer.describe(jpeg, trim=False)
        vector = prepared.features.vector
        height, width = image.shape[:2]
        miss = Miss(
            id=0,
            user_id=offered.user_id,
            channel=offered.channel,
            at=time.time(),
            cluster=0,
            sharpness=float(cv2.Laplacian(to_gray(image), cv2.CV_64F).var()),
            width=width,
            height=height,
        )
        for number in self._nearest(offered.user_id, vector):
            head, first = self.store.get(number), self.store.jpeg(number)
            if head is None or first is None:
                continue
            found = self._recognizer.compare(self._recognizer.describe(first, trim=False), jpeg).results
            if found and found[0].inliers >= SAME_INLIERS:
                in_head, box = _boxes(found[0], head, miss)
                self.store.set_box(number, in_head if head.box == WHOLE else _union(head.box, in_head))
                miss = dataclasses.replace(miss, cluster=number, box=box)
                break
        self.store.add(miss, vector=vector, jpeg=jpeg)

    def _shrunk(self, photo: bytes) -> ColorImage:
        image = EncodedImage(photo, limits=self._recognizer.settings.limits).pixels(SIDE)
        return resize_long_side(image, min(SIDE, max(image.shape[:2])))

    def _nearest(self, user_id: int, vector: bytes) -> list[int]:
        assert self.store is not None
        numbers, known = self.store.heads(user_id, dimension=len(vector))
        if not numbers:
            return []
        likeness = known @ np.frombuffer(vector, np.int8).astype(np.float32)
        return [numbers[i] for i in np.argsort(-likeness)[:NEAREST]]


def _boxes(match: Match, head: Miss, miss: Miss) -> tuple[Box, Box]:
    """Where the points of both photos lie that agree, in the head and in the photo."""
    in_photo, in_head = match.points[:, 0], match.points[:, 1]
    return _around(in_head, *frame_size((head.width, head.height))), _around(in_photo, miss.width, miss.height)


def _around(points: np.ndarray, width: float, height: float) -> Box:
    """In shares, with a twentieth of the box on each side: what lies at a picture's edge has no keypoint."""
    low, high = points.min(0) / [width, height], points.max(0) / [width, height]
    margin = (high - low) / 20
    low, high = np.clip(low - margin, 0, 1), np.clip(high + margin, 0, 1)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _union(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
