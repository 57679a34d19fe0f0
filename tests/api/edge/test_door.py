"""The bounded door: places, deadlines, and calls that hang."""

from __future__ import annotations

import asyncio
import threading

import pytest

from api.edge.door import Lane
from api.errors import Busy


def lane(*, workers: int = 1, queue: int = 1, deadline_seconds: float = 5) -> Lane:
    return Lane("test", workers=workers, queue=queue, deadline_seconds=deadline_seconds, retry_after_seconds=3)


class TestLane:
    def test_gives_and_raises(self) -> None:
        async def use() -> int:
            door = lane()
            with pytest.raises(ZeroDivisionError):
                await door.run(lambda: 1 // 0)
            value = await door.run(lambda: 42)
            assert await door.close(timeout_seconds=1)
            assert door.inside == 0
            return value

        assert asyncio.run(use()) == 42

    def test_full_queue(self) -> None:
        """One runs, one waits, the third is refused at once with advice."""

        async def use() -> None:
            door, release = lane(), threading.Event()
            running = [asyncio.create_task(door.run(lambda: release.wait(timeout=20))) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(Busy) as refused:
                await door.run(lambda: None)
            assert not any(task.done() for task in running)
            assert refused.value.retry_after_seconds == 3
            assert door.refused == 1
            release.set()
            assert await asyncio.gather(*running) == [True, True]
            assert await door.run(lambda: "free again") == "free again"

        asyncio.run(use())

    def test_hanging_call(self) -> None:
        """Its caller is told busy at the deadline, as is who waits behind it; the loop goes on; the waiting call
        is never started; the hanging one keeps its place until it ends."""

        async def use() -> None:
            door, release, late = lane(deadline_seconds=0.2), threading.Event(), []
            hanging = asyncio.create_task(door.run(lambda: release.wait(timeout=20)))
            waiting = asyncio.create_task(door.run(lambda: late.append(1)))
            ticks = 0
            while not (hanging.done() and waiting.done()):
                await asyncio.sleep(0.01)
                ticks += 1
            assert ticks > 1
            for task in (hanging, waiting):
                with pytest.raises(Busy, match="no answer within"):
                    await task
            await asyncio.sleep(0.05)
            assert (door.inside, door.overdue) == (1, 2)
            assert not await door.close(timeout_seconds=0.05)
            release.set()
            assert await door.close(timeout_seconds=20)
            assert (door.inside, late) == (0, [])

        asyncio.run(use())
