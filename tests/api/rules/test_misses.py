"""Which missed photos are looked at: not more of one client than one in a while, and none where it is off."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.edge.door import Door
from api.rules import misses
from api.rules.misses import WAITING, MissRules
from api.settings import Settings
from engine.recognizer import Recognizer


@pytest.fixture
def rules(tmp_path: Any) -> Any:
    settings = Settings(keep_misses_hours=1)
    with Recognizer.open(tmp_path / "data") as recognizer:

        async def make() -> MissRules:
            return MissRules(settings, recognizer.catalogue, recognizer, Door(settings).long)

        made = asyncio.run(make())
        yield made
        made.close()


def test_of_one_client(rules: MissRules, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera's frames: the first, and the next when enough time is over, however many come between."""
    now = [100.0]
    monkeypatch.setattr(misses.time, "monotonic", lambda: now[0])
    for _ in range(5):
        rules.offer(1, "c", "camera", b"photo")
        now[0] += 0.3
    assert rules._queue.qsize() == 1
    rules.offer(1, "c", "another", b"photo")
    rules.offer(1, "d", "camera", b"photo")
    assert rules._queue.qsize() == 3
    now[0] += misses.EVERY_SECONDS
    rules.offer(1, "c", "camera", b"photo")
    assert rules._queue.qsize() == 4
    for number in range(2 * WAITING):
        rules.offer(2, "c", f"client {number}", b"photo")
    assert rules._queue.qsize() == WAITING


def test_off(tmp_path: Any) -> None:
    settings = Settings()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "misses.db").write_bytes(b"of a time when they were kept")
    with Recognizer.open(tmp_path / "data") as recognizer:

        async def use() -> None:
            rules = MissRules(settings, recognizer.catalogue, recognizer, Door(settings).long)
            rules.offer(1, "c", "camera", b"photo")
            assert (rules.on, rules._queue.qsize(), rules.clusters(user_id=None, limit=5)) == (False, 0, [])
            assert rules.cropped(1, (0.0, 0.0, 1.0, 1.0)) is None
            await rules.run()

        asyncio.run(use())
    assert not (tmp_path / "data" / "misses.db").exists()
