"""Bodies that are too large for memory: written to a file while they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import BinaryIO

from litestar.types import Receive

from api.edge.limits import LEAST_BYTES_A_SECOND
from api.errors import BodyTooLarge, MalformedBody

_AT_ONCE = 1_000_000
"""Bytes that are collected for one write."""


async def spool(receive: Receive, path: Path, *, limit: int, stall_seconds: float) -> int:
    """Writes the body to a new file, and to the disk; gives its size. What was written stays where it fails: the file
    is the caller's to remove. Raises BodyTooLarge, MalformedBody where it does not come or ends early, OSError."""
    with path.open("xb") as file:
        try:
            size = await _written(receive, file, limit=limit, stall_seconds=stall_seconds)
        except TimeoutError as error:
            raise MalformedBody(f"less than {LEAST_BYTES_A_SECOND} bytes a second of it came", close=True) from error
        await asyncio.to_thread(_settle, file)
    return size


async def _written(receive: Receive, file: BinaryIO, *, limit: int, stall_seconds: float) -> int:
    size, lately, since, waiting = 0, 0, time.monotonic(), bytearray()
    more = True
    while more:
        async with asyncio.timeout(stall_seconds):
            message = await receive()
        if message["type"] != "http.request":
            raise MalformedBody("the connection ended before the body did", close=True)
        chunk, more = message["body"], message["more_body"]
        size, lately = size + len(chunk), lately + len(chunk)
        if size > limit:
            raise BodyTooLarge("body", limit, close=True)
        if time.monotonic() - since > stall_seconds:
            if lately < LEAST_BYTES_A_SECOND * stall_seconds and more:
                raise TimeoutError
            lately, since = 0, time.monotonic()
        waiting += chunk
        if len(waiting) >= _AT_ONCE or not more:
            await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    return size


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


async def drain(receive: Receive, *, limit: int, stall_seconds: float) -> None:
    """Reads a body away that was refused, so that the client gets to the answer; what is longer, or slow, it may
    not."""
    size, more = 0, True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(stall_seconds):
            while more and size <= limit:
                message = await receive()
                more = message["type"] == "http.request" and message["more_body"]
                size += len(message["body"]) if message["type"] == "http.request" else 0
