"""What a body costs: time of the event loop, time of all threads, and memory for each byte that came.

Measured in the processor's time against a plain body of the same size in the same run, so that a slow or a busy
machine slows both. What is hostile may cost more than what is plain, but not for another reason than its length.
"""

from __future__ import annotations

import asyncio
import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from api.dialects.kivicube.contract import UPDATE_IMAGE_INFO
from api.edge.body import BodyReader
from api.edge.door import Lane
from api.edge.limits import MemoryShare
from api.errors import ServiceError
from api.settings import Settings

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
RULES = UPDATE_IMAGE_INFO.rules(Settings())
SMALL, LARGE = 400_000, 5_000_000
PIECE = 65_536


def filled(before: bytes, repeated: bytes, after: bytes, size: int) -> bytes:
    return before + repeated * ((size - len(before) - len(after)) // len(repeated)) + after


def counted(before: bytes, piece: Callable[[int], bytes], after: bytes, size: int) -> bytes:
    pieces, length, number = [before], len(before) + len(after), 0
    while length < size:
        pieces.append(piece(number))
        length, number = length + len(pieces[-1]), number + 1
    return b"".join([*pieces, after])


def mixed(size: int) -> bytes:
    """Bytes that mean something in JSON, in an order that means nothing, behind a start that does."""
    rng = random.Random(5)
    alphabet = [b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"1", b"e", b" ", b"%41", b"\xc3", b"\xa9", b'"a":']
    return b'{"metadata":"' + b"".join(rng.choices(alphabet, k=size // 2))


HOSTILE: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "numbers": (JSON, lambda size: filled(b'{"a":[', b"1,", b"1]}", size)),
    "floats": (JSON, lambda size: filled(b'{"a":[', b"1e5,", b"1]}", size)),
    "arrays": (JSON, lambda size: filled(b'{"a":[', b"[],", b"1]}", size)),
    "objects": (JSON, lambda size: filled(b'{"a":[', b"{},", b"1]}", size)),
    "strings": (JSON, lambda size: filled(b'{"a":[', b'"",', b"1]}", size)),
    "names": (JSON, lambda size: counted(b"{", lambda n: b'"%d":1,' % n, b'"a":1}', size)),
    "one name": (JSON, lambda size: filled(b"{", b'"a":1,', b'"a":1}', size)),
    "names with escapes": (JSON, lambda size: counted(b"{", lambda n: b'"%d\\\\":1,' % n, b'"a":1}', size)),
    "deep": (JSON, lambda size: filled(b'{"a":', b"[", b"", size)),
    "deep objects": (JSON, lambda size: filled(b"", b'{"a":', b"", size)),
    "escaped quotes": (JSON, lambda size: filled(b'{"metadata":"', b'\\"', b'"}', size)),
    "escaped letters": (JSON, lambda size: filled(b'{"metadata":"', b"\\u0041", b'"}', size)),
    "spaces": (JSON, lambda size: filled(b'{"a":', b" ", b"1}", size)),
    "digits": (JSON, lambda size: filled(b'{"metadata":', b"1", b"}", size)),
    "digits unknown": (JSON, lambda size: filled(b'{"a":', b"1", b"}", size)),
    "mixed": (JSON, mixed),
    "percent signs": (FORM, lambda size: filled(b"metadata=", b"%41", b"", size)),
    "percent signs unwanted": (FORM, lambda size: filled(b"a=", b"%41", b"", size)),
    "percent signs of a name": (FORM, lambda size: filled(b"", b"%41", b"=", size)),
    "bare percent signs": (FORM, lambda size: filled(b"metadata=", b"%", b"", size)),
    "ampersands": (FORM, lambda size: filled(b"", b"&", b"", size)),
    "fields": (FORM, lambda size: filled(b"", b"a=1&", b"", size)),
    "plus signs": (FORM, lambda size: filled(b"metadata=", b"+", b"", size)),
    "parts": (MULTIPART, lambda size: filled(b"", b"--x\r\n\r\n\r\n", b"--x--\r\n", size)),
    "line breaks": (MULTIPART, lambda size: filled(b"--x\r\n\r\n", b"\r\n--", b"\r\n--x--\r\n", size)),
    "returns": (MULTIPART, lambda size: filled(b"--x\r\n\r\n", b"\r", b"\r\n--x--\r\n", size)),
    "headers": (MULTIPART, lambda size: filled(b"--x\r\n", b"a: b\r\n", b"\r\n", size)),
    "one header": (MULTIPART, lambda size: filled(b"--x\r\nContent-Disposition: ", b"a=b;", b"\r\n\r\n", size)),
    "preamble": (MULTIPART, lambda size: filled(b"", b"\r\n--", b"", size)),
}
PLAIN = {
    JSON: lambda size: filled(b'{"metadata":"', b"A", b'"}', size),
    FORM: lambda size: filled(b"metadata=", b"A", b"", size),
    MULTIPART: lambda size: filled(
        b'--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n', b"A", b"\r\n--x--\r\n", size
    ),
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    loop_seconds: float
    """Of the event loop's thread."""
    seconds: float
    """Of all threads."""
    memory: int
    """Most bytes that were held besides the body itself, as it was sent."""


def cost_of(kind: str, body: bytes, *, tries: int = 3) -> Cost:
    """The least of several tries, for the time; memory in a try of its own, because watching it takes time."""
    times = [asyncio.run(_read(kind, body)) for _ in range(tries)]
    tracemalloc.start()
    try:
        asyncio.run(_read(kind, body))
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    loop, total = (min(column) for column in zip(*times, strict=True))
    return Cost(loop_seconds=loop, seconds=total, memory=memory)


async def _read(kind: str, body: bytes) -> tuple[float, float]:
    pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)]
    lane = Lane("reading", workers=1, queue=1, deadline_seconds=60, retry_after_seconds=1)
    share = MemoryShare(100_000_000)
    reader = BodyReader(RULES, share, lane=lane)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    await lane.run(lambda: None)  # its thread is there
    before = time.thread_time(), time.process_time()
    try:
        await reader.read(receive, kind, length=len(body))  # type: ignore[arg-type]
    except ServiceError:
        pass
    finally:
        reader.close()
    after = time.thread_time(), time.process_time()
    assert share.held == 0
    assert await lane.close(timeout_seconds=10)
    return after[0] - before[0], after[1] - before[1]


LEAST_SECONDS = 0.004
"""Beneath this the clocks of some systems tell nothing."""


def check(name: str, size: int) -> None:
    kind, make = HOSTILE[name]
    body = make(size)
    plain, hostile = cost_of(kind, PLAIN[kind](size)), cost_of(kind, body)
    assert hostile.loop_seconds <= 10 * max(plain.loop_seconds, LEAST_SECONDS), (plain, hostile)
    assert hostile.seconds <= 20 * max(plain.seconds, LEAST_SECONDS), (plain, hostile)
    assert hostile.memory <= 8 * len(body) + 1_000_000, (plain, hostile)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_costs_what_it_weighs(name: str) -> None:
    check(name, SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_large_hostile_body_costs_what_it_weighs(name: str) -> None:
    check(name, LARGE)
