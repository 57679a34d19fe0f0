"""The one bounded door from the event loop to the synchronous engine.

Each lane has its own threads, a short queue and a deadline. Who finds the queue full is told so at once
(Busy) instead of piling up, and a call that hangs costs one thread, never the event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from api.errors import Busy, Overdue
from api.settings import Settings

T = TypeVar("T")
_asker: contextvars.ContextVar[int | None] = contextvars.ContextVar("asker", default=None)


def asks(user: int) -> None:
    """Tells the lanes whose request this task serves, from now on."""
    _asker.set(user)


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
        """most_late: a user of whom so many calls go on past the deadline is refused another; None: nobody is."""
        self.name, self.workers, self.capacity = name, workers, workers + queue
        self.most_late, self.inside = most_late, 0
        self.refused = 0
        self.overdue = 0
        self._late: Counter[int] = Counter()
        """By user: calls past the deadline whose threads go on."""
        self._deadline_seconds, self._retry_after_seconds = deadline_seconds, retry_after_seconds
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix=name)

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` gives or raises. Raises Busy when no place is free, or while `most_late` calls of the same
        user (`asks`) go on past the deadline; Overdue when the deadline passes.

        A call that waits is dropped at the deadline. One that runs is finished by its thread and keeps its
        place until then; only its answer is lost.
        """
        if self.inside >= self.capacity:
            self.refused += 1
            raise Busy("too many requests wait already", retry_after_seconds=self._retry_after_seconds)
        user = _asker.get()
        if user is not None and self.most_late is not None and self._late[user] >= self.most_late:
            self.refused += 1
            reason = "earlier requests of yours, which took too long, still occupy the server"
            raise Busy(reason, retry_after_seconds=self._retry_after_seconds)
        self.inside += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(contextvars.copy_context().run, call)
        future.add_done_callback(lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(self._leave))
        done, _ = await asyncio.wait({waiting := asyncio.wrap_future(future)}, timeout=self._deadline_seconds)
        if done:
            return waiting.result()
        waiting.cancel()
        # At once: a call that still waits must not start.
        if not future.cancel() and user is not None and not future.done():
            self._late[user] += 1
            future.add_done_callback(
                lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(self._no_longer_late, user)
            )
        self.overdue += 1
        reason = f"no answer within {self._deadline_seconds:g} s; it may still be done"
        raise Overdue(reason, retry_after_seconds=self._retry_after_seconds)

    def _leave(self) -> None:
        self.inside -= 1

    def _no_longer_late(self, user: int) -> None:
        self._late[user] -= 1
        if not self._late[user]:
            del self._late[user]

    async def close(self, *, timeout_seconds: float) -> bool:
        """Whether all calls came to their end in time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for _ in range(max(1, int(timeout_seconds / 0.02))):
            if self.inside <= 0:
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
        past the deadline must not hold them all."""
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
        return all([await lane.close(timeout_seconds=timeout_seconds) for lane in self.lanes])
