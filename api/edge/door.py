"""The one bounded door from the event loop to the synchronous engine.

Each lane has its own threads, a short queue and a deadline. Who finds the queue full is told so at once
(Busy) instead of piling up, and a call that hangs costs one thread, never the event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
from collections.abc import Callable
from typing import TypeVar

from api.errors import Busy, Overdue
from api.settings import Settings

T = TypeVar("T")


class Lane:
    """Threads for one kind of work. `run` belongs to the event loop; counters may be read anywhere."""

    def __init__(
        self, name: str, *, workers: int, queue: int, deadline_seconds: float, retry_after_seconds: int
    ) -> None:
        self.name, self.workers, self.capacity = name, workers, workers + queue
        self.inside = 0
        self.refused = 0
        self.overdue = 0
        self._deadline_seconds, self._retry_after_seconds = deadline_seconds, retry_after_seconds
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix=name)

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` gives or raises. Raises Busy when no place is free, Overdue when the deadline passes.

        A call that waits is dropped at the deadline. One that runs is finished by its thread and keeps its
        place until then; only its answer is lost.
        """
        if self.inside >= self.capacity:
            self.refused += 1
            raise Busy("too many requests wait already", retry_after_seconds=self._retry_after_seconds)
        self.inside += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(contextvars.copy_context().run, call)
        future.add_done_callback(lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(self._leave))
        done, _ = await asyncio.wait({waiting := asyncio.wrap_future(future)}, timeout=self._deadline_seconds)
        if done:
            return waiting.result()
        waiting.cancel()
        future.cancel()  # at once: a call that still waits must not start
        self.overdue += 1
        raise Overdue(f"no answer within {self._deadline_seconds:g} s", retry_after_seconds=self._retry_after_seconds)

    def _leave(self) -> None:
        self.inside -= 1

    async def close(self, *, timeout_seconds: float) -> bool:
        """Whether all calls came to their end in time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for _ in range(max(1, int(timeout_seconds / 0.02))):
            if self.inside <= 0:
                return True
            await asyncio.sleep(0.02)
        return False


class Door:
    """Two lanes. Metrics, threads and settings call them `engine` and `catalogue`, for what works in them."""

    def __init__(self, settings: Settings) -> None:
        lane = functools.partial(
            Lane, deadline_seconds=settings.deadline_seconds, retry_after_seconds=settings.retry_after_seconds
        )
        self.long = lane("engine", workers=settings.engine_workers, queue=settings.engine_queue)
        """Recognising and adding: as many at once as there are cores to use."""
        self.short = lane("catalogue", workers=settings.catalogue_workers, queue=settings.catalogue_queue)
        """Short reads and changes, kept apart so that lists and counts answer while every core recognises."""

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        return self.long, self.short

    async def close(self, *, timeout_seconds: float) -> bool:
        """Whether all calls came to their end in time."""
        return all([await lane.close(timeout_seconds=timeout_seconds) for lane in self.lanes])
