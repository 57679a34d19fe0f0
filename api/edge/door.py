"""The one bounded door from the event loop to the synchronous engine.

Each lane has its own threads, a short queue and a deadline. Who finds the queue full is told so at once
(Busy) instead of piling up, and a call that hangs costs one thread, never the event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from api.errors import Busy, Overdue
from api.settings import Settings

T = TypeVar("T")
_asker: contextvars.ContextVar[int | None] = contextvars.ContextVar("asker", default=None)


def asks(user: int) -> None:
    """Tells the lanes whose request this task serves, from now on."""
    _asker.set(user)


@dataclass(eq=False, kw_only=True)
class _Place:
    """What one call takes of a lane until its thread is done with it."""

    user: int | None
    """Who asks (`asks`); None: nobody said."""
    begun_at: float = math.inf
    """When a thread took it up, by the monotonic clock."""


class Lane:
    """Threads for one kind of work. `run` belongs to the event loop; counters may be read anywhere."""

    def __init__(
        self,
        name: str,
        *,
        workers: int,
        queue: int,
        deadline_seconds: float,
        retry_after_seconds: int,
        most_late: int | None = None,
    ) -> None:
        """most_late: a user of whom so many calls have run for longer than the deadline is refused another while
        somebody else is inside; None: nobody is."""
        self.name, self.workers, self.capacity = name, workers, workers + queue
        self.most_late = most_late
        self.refused = 0
        self.overdue = 0
        self._places: set[_Place] = set()
        self._deadline_seconds, self._retry_after_seconds = deadline_seconds, retry_after_seconds
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix=name)

    @property
    def inside(self) -> int:
        """Calls that run or wait."""
        return len(self._places)

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` gives or raises. Raises Busy when no place is free, or while `most_late` calls of the same
        user (`asks`) run for longer than the deadline and another's call is inside; Overdue when the deadline passes.

        A call that waits is dropped at the deadline. One that runs is finished by its thread and keeps its
        place until then; only its answer is lost.
        """
        if self.inside >= self.capacity:
            self.refused += 1
            raise Busy("too many requests wait already", retry_after_seconds=self._retry_after_seconds)
        user = _asker.get()
        if self._holds_others_up(user):
            self.refused += 1
            reason = "earlier requests of yours, which took too long, still occupy the server"
            raise Busy(reason, retry_after_seconds=self._retry_after_seconds)
        place = _Place(user=user)

        def begin() -> T:
            place.begun_at = time.monotonic()
            return call()

        loop = asyncio.get_running_loop()
        future = self._pool.submit(contextvars.copy_context().run, begin)
        self._places.add(place)
        leave = functools.partial(self._places.discard, place)
        future.add_done_callback(lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(leave))
        done, _ = await asyncio.wait({waiting := asyncio.wrap_future(future)}, timeout=self._deadline_seconds)
        if done:
            return waiting.result()
        waiting.cancel()
        future.cancel()  # at once: a call that still waits must not start
        self.overdue += 1
        reason = f"no answer within {self._deadline_seconds:g} s; it may still be done"
        raise Overdue(reason, retry_after_seconds=self._retry_after_seconds)

    def _holds_others_up(self, user: int | None) -> bool:
        """Whether late calls of the user keep threads from somebody. A call that waited is not late for that."""
        if user is None or self.most_late is None or all(place.user == user for place in self._places):
            return False
        before = time.monotonic() - self._deadline_seconds
        return sum(place.user == user and place.begun_at < before for place in self._places) >= self.most_late

    async def close(self, *, timeout_seconds: float) -> bool:
        """Whether all calls came to their end in time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for _ in range(max(1, int(timeout_seconds / 0.02))):
            if not self.inside:
                return True
            await asyncio.sleep(0.02)
        return False


class Door:
    """Three lanes. Metrics and threads call them `engine`, `catalogue` and `bulk`; settings the first two."""

    def __init__(self, settings: Settings) -> None:
        lane = functools.partial(
            Lane, deadline_seconds=settings.deadline_seconds, retry_after_seconds=settings.retry_after_seconds
        )
        self.long = lane(
            "engine",
            workers=settings.engine_workers,
            queue=settings.engine_queue,
            most_late=max(1, settings.engine_workers // 2),
        )
        """Recognising and adding: as many at once as there are cores to use. Images of one user that hold the threads
        past the deadline must not hold them all while others ask."""
        self.short = lane("catalogue", workers=settings.catalogue_workers, queue=settings.catalogue_queue)
        """Short reads and changes, kept apart so that lists and counts answer while every core recognises."""

        self.bulk = lane("bulk", workers=1, queue=settings.engine_queue)
        """Changes of many pictures at once, one call after the other: they hold the catalogue for so long that beside
        each other they would only wait, each with a thread of the short lane."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return self.long, self.short, self.bulk

    async def close(self, *, timeout_seconds: float) -> bool:
        """Whether all calls came to their end in time."""
        return all(await asyncio.gather(*(lane.close(timeout_seconds=timeout_seconds) for lane in self.lanes)))
