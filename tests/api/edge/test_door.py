"""The bounded door: places, deadlines, and calls that hang."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable

import pytest

from api.edge.door import Door, Lane, asks
from api.errors import Busy, Overdue
from api.settings import Settings


def lane(*, workers: int = 1, queue: int = 1, deadline_seconds: float = 5) -> Lane:
    return Lane("test", workers=workers, queue=queue, deadline_seconds=deadline_seconds, retry_after_seconds=3)


class TestLateCalls:
    """Who sends images that hold the threads past the deadline must not hold them all."""

    def test_count_against_their_user(self) -> None:
        async def use() -> None:
            release = threading.Event()
            door = Lane("test", workers=3, queue=9, deadline_seconds=0.2, retry_after_seconds=3, most_late=1)

            async def of(user: int, call: Callable[[], object]) -> object:
                asks(user)
                return await door.run(call)

            for user in (1, 2):
                with pytest.raises(Overdue):
                    await asyncio.create_task(of(user, lambda: release.wait(timeout=20)))
            with pytest.raises(Busy, match="earlier requests of yours"):
                await asyncio.create_task(of(1, lambda: None))
            assert await asyncio.create_task(of(3, lambda: "another's")) == "another's"
            assert await door.run(lambda: "nobody's") == "nobody's"
            release.set()
            for _ in range(200):
                if door.inside == 0:
                    break
                await asyncio.sleep(0.05)
            assert await asyncio.create_task(of(1, lambda: "again")) == "again"

        asyncio.run(use())

    def test_of_a_user_who_is_alone(self) -> None:
        """Nobody is protected by a refusal while a thread is free."""

        async def use() -> None:
            release = threading.Event()
            door = Lane("test", workers=2, queue=9, deadline_seconds=0.2, retry_after_seconds=3, most_late=1)
            asks(1)
            with pytest.raises(Overdue):
                await door.run(lambda: release.wait(timeout=20))
            await asyncio.sleep(0.1)
            assert await door.run(lambda: "mine") == "mine"
            release.set()

        asyncio.run(use())

    def test_that_waited(self) -> None:
        """Late is what runs for so long; what began shortly before its deadline is not."""

        async def use() -> None:
            free, release = threading.Event(), threading.Event()
            door = Lane("test", workers=2, queue=9, deadline_seconds=2, retry_after_seconds=3, most_late=1)

            async def mine() -> None:
                asks(1)
                with pytest.raises(Overdue):
                    await door.run(lambda: release.wait(timeout=20))
                with pytest.raises(Overdue):  # taken in, though both threads are held
                    await door.run(lambda: None)

            others = [
                asyncio.create_task(door.run(functools.partial(event.wait, timeout=20))) for event in (free, release)
            ]
            await asyncio.sleep(0.01)
            asking = asyncio.create_task(mine())
            await asyncio.sleep(1.5)
            free.set()
            await asking
            release.set()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run(use())

    def test_those_that_never_began_do_not(self) -> None:
        """They were dropped at the deadline, and hold no thread."""

        async def use() -> None:
            release = threading.Event()
            door = Lane("test", workers=1, queue=9, deadline_seconds=0.2, retry_after_seconds=3, most_late=1)
            first = asyncio.create_task(door.run(lambda: release.wait(timeout=20)))

            async def second() -> None:
                asks(7)
                with pytest.raises(Overdue):
                    await door.run(lambda: None)
                release.set()
                for _ in range(200):
                    if door.inside == 0:
                        break
                    await asyncio.sleep(0.05)
                assert await door.run(lambda: 1) == 1

            await asyncio.sleep(0.01)  # the first has the thread
            await second()
            with pytest.raises(Overdue):
                await first

        asyncio.run(use())

    def test_which_lanes(self) -> None:
        door = Door(Settings(engine_workers=4))
        assert (door.long.most_late, door.short.most_late, door.bulk.most_late) == (2, None, None)
        assert door.bulk.workers == 1


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


class TestDoor:
    def test_lanes_are_waited_for_together(self) -> None:
        """The longest wait at the end is the one that was chosen, however many lanes hang."""

        async def use() -> float:
            release, door = threading.Event(), Door(Settings(deadline_seconds=0.1))
            for lane in door.lanes:
                with pytest.raises(Overdue):
                    await lane.run(lambda: release.wait(timeout=20))
            started = time.monotonic()
            assert not await door.close(timeout_seconds=1)
            release.set()
            return time.monotonic() - started

        assert asyncio.run(use()) < 2.5
