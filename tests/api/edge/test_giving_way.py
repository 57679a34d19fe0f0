"""A body whose memory was taken for another's: it ends at once, whatever still comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from api.dialects.kivicube.contract import FIND_IMAGE
from api.edge.body import BodyReader
from api.edge.door import Lane
from api.edge.limits import MemoryShare
from api.errors import Busy
from api.settings import Settings


def test_bytes_that_came_already() -> None:
    """They may be read in the same step of the event loop; nothing of them is kept without a reservation."""

    async def use() -> int:
        share = MemoryShare(100_000)
        lane = Lane("test", workers=1, queue=1, deadline_seconds=5, retry_after_seconds=1)
        rules = FIND_IMAGE.rules(Settings(body_stall_seconds=1))
        reader = BodyReader(rules, share, lane=lane, client="10.0.0.1")
        pieces: Iterator[int] = iter(range(20))

        async def receive() -> Any:
            if next(pieces) == 1:
                assert share.reserve(50_000, address="10.0.0.2") is not None
            return {"type": "http.request", "body": b"x" * 3_000, "more_body": True}

        with pytest.raises(Busy, match="too many large requests"):
            await reader.read_whole(receive, limit=60_000)
        assert share.held == 50_000
        await lane.close(timeout_seconds=1)
        return next(pieces)

    assert asyncio.run(use()) == 2
