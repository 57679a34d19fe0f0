"""Reading request bodies while they arrive: forms as multipart, urlencoded or JSON.

Limits hold while receiving. A file that grows too large is no longer kept but still read, up to
`max_body_bytes`, so that the client gets to its answer; beyond that the connection ends. Fields that the
caller does not want are never kept. A value that is no text (bytes that are not UTF-8, a nested JSON value, a
field given twice) becomes `UNREADABLE`, which no rule accepts, so each method refuses it in its own order.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import multipart  # type: ignore[import-untyped]
from litestar.types import Receive

from api.edge.limits import MemoryShare
from api.errors import BodyTooLarge, Busy, MalformedBody

T = TypeVar("T")
UNREADABLE = "\ufffd\ufffd"
SMALL_FIELD_BYTES = 4096
"""Longest text of a field that has no limit of its own; none of them accepts more than 64 characters."""


@dataclass(frozen=True, kw_only=True)
class FormRules:
    """What a body may hold, and what is kept of it."""

    fields: Mapping[str, int]
    """Byte limit by name of each text field that is kept."""
    other_fields: int = -1
    """Byte limit of fields that are not named; below zero: they are not kept."""
    file: str | None
    """Name of the file part; None where the method has no file."""
    max_file_bytes: int
    """A larger file is read and thrown away."""
    max_body_bytes: int
    """What is read of a body; beyond it the connection ends."""
    timeout_seconds: float
    """Longest time in which the whole body arrives."""
    retry_after_seconds: int
    """Advice where no memory is left for it."""


@dataclass(kw_only=True)
class Form:
    """What was read of a body."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    """Text by field."""
    unreadable: set[str] = field(default_factory=set)
    """Fields whose value is UNREADABLE."""
    too_long: set[str] = field(default_factory=set)
    """Fields above their limit."""
    file: bytes | None = field(default=None, repr=False)
    """None where no part has its name."""
    file_too_large: bool = False
    """The file was thrown away."""

    def text(self, name: str) -> str | None:
        """The value, or None where the field is missing or empty."""
        return self.values.get(name) or None

    def put(self, name: str, value: str | None) -> None:
        """value: None where it is no text. Two values of one field contradict each other: neither is taken."""
        if value is None or name in self.values:
            self.unreadable.add(name)
            value = UNREADABLE
        self.values[name] = value


class BodyReader:
    """Reads one body. `close` gives back the memory that its bytes held."""

    def __init__(self, rules: FormRules, share: MemoryShare) -> None:
        self.rules, self._share, self._held, self._received = rules, share, 0, 0

    def close(self) -> None:
        self._share.give_back(self._held)
        self._held = 0

    async def read(self, receive: Receive, content_type: str) -> Form:
        """Raises MalformedBody, BodyTooLarge, Busy. The body was read to its end, unless BodyTooLarge says close."""
        return await self._in_time(self._read(receive, content_type))

    async def read_whole(self, receive: Receive, *, limit: int) -> bytes:
        """The body as it is, of at most `limit` bytes. Raises what `read` does."""
        return await self._in_time(self._drained(receive, limit))

    async def _drained(self, receive: Receive, limit: int) -> bytes:
        chunks = self._chunks(receive)
        try:
            return await self._whole(chunks, limit)
        except Busy:
            async for _ in chunks:
                pass
            raise

    async def _in_time(self, reading: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.rules.timeout_seconds):
                return await reading
        except TimeoutError as error:
            reason = f"it did not arrive within {self.rules.timeout_seconds:g} s"
            raise MalformedBody(reason, close=True) from error

    async def _read(self, receive: Receive, content_type: str) -> Form:
        chunks = self._chunks(receive)
        kind, options = multipart.parse_options_header(content_type)
        try:
            if kind == "multipart/form-data":
                return await self._multipart(chunks, options.get("boundary", ""))
            if self.rules.file is not None:
                raise MalformedBody("the content type is not multipart/form-data")
            # JSON and percent signs may need six bytes for one byte of a field.
            body = await self._whole(chunks, 6 * sum(self.rules.fields.values()))
        except (MalformedBody, Busy):
            async for _ in chunks:  # so that the client, which still sends, gets to read the answer
                pass
            raise
        if kind == "application/x-www-form-urlencoded":
            return self._fields(_urlencoded(body))
        if kind == "application/json":
            return self._fields(_json(body))
        if body.strip():
            raise MalformedBody("send multipart/form-data, application/x-www-form-urlencoded or application/json")
        return Form()

    async def _chunks(self, receive: Receive) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MalformedBody("the connection ended before the body did")
            assert message["type"] == "http.request"
            chunk = message["body"]
            more = message["more_body"]
            self._received += len(chunk)
            if more and self._received > self.rules.max_body_bytes:
                raise BodyTooLarge("body", self.rules.max_file_bytes, close=True)
            if chunk:
                yield chunk

    def _hold(self, count: int) -> None:
        if not self._share.take(count):
            raise Busy("too many large requests at once", retry_after_seconds=self.rules.retry_after_seconds)
        self._held += count

    async def _whole(self, chunks: AsyncIterator[bytes], limit: int) -> bytes:
        kept = bytearray()
        async for chunk in chunks:
            if len(kept) <= limit:
                self._hold(len(chunk))
                kept += chunk
        if len(kept) > limit:
            raise BodyTooLarge("body", limit)
        return bytes(kept)

    async def _multipart(self, chunks: AsyncIterator[bytes], boundary: str) -> Form:
        form, part = Form(), _Part()
        try:
            parser = multipart.PushMultipartParser(boundary, max_segment_count=1_000, strict=False)
            async for chunk in chunks:
                if parser.closed:
                    continue  # bytes after the closing boundary mean nothing
                for event in parser.parse(chunk):
                    if isinstance(event, multipart.MultipartSegment):
                        part = self._open(event.name or "")
                    elif event is None:
                        self._finish(part, form)
                    else:
                        part.add(bytes(event), self._hold)
            parser.close()
        except multipart.MultipartError as error:
            raise MalformedBody(f"multipart: {error}") from error
        return form

    def _open(self, name: str) -> _Part:
        if name == self.rules.file:
            return _Part(name=name, limit=self.rules.max_file_bytes)
        return _Part(name=name, limit=self.rules.fields.get(name, self.rules.other_fields))

    def _finish(self, part: _Part, form: Form) -> None:
        if part.name == self.rules.file:
            if form.file is not None:
                raise MalformedBody(f"two parts are named {part.name}")
            form.file, form.file_too_large = bytes(part.data), part.too_long
        elif part.limit >= 0:
            form.put(part.name, None if part.too_long else _decoded(bytes(part.data)))
            if part.too_long:
                form.too_long.add(part.name)

    def _fields(self, pairs: list[tuple[str, str | None]]) -> Form:
        form = Form()
        for name, value in pairs:
            if name in self.rules.fields:
                form.put(name, value)
                if value is not None and len(value.encode("utf-8")) > self.rules.fields[name]:
                    form.too_long.add(name)
        return form


@dataclass(kw_only=True)
class _Part:
    """One part of a multipart body while it arrives; a limit below zero: not wanted, nothing is kept."""

    name: str = ""
    limit: int = -1
    too_long: bool = False
    data: bytearray = field(default_factory=bytearray)

    def add(self, chunk: bytes, hold: Callable[[int], None]) -> None:
        if self.too_long or self.limit < 0:
            return
        if len(self.data) + len(chunk) > self.limit:
            self.too_long = True
            self.data.clear()
            return
        hold(len(chunk))
        self.data += chunk


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _urlencoded(body: bytes) -> list[tuple[str, str | None]]:
    """Pairs of a form; bytes that are not UTF-8, percent-encoded or not, make their value unreadable."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=1_000, errors="surrogateescape")
    except ValueError as error:
        raise MalformedBody("form: more than 1000 fields") from error
    return [(name, _decoded(value.encode("utf-8", "surrogateescape"))) for name, value in pairs]


def _json(body: bytes) -> list[tuple[str, str | None]]:
    """Pairs of an object: strings as they are, numbers and booleans as their text, null as absent."""
    if not body.strip():
        return []
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedBody("JSON: it cannot be decoded") from error
    if not isinstance(found, dict):
        raise MalformedBody("JSON: one object is needed")
    return [(name, _as_text(value)) for name, value in found.items() if value is not None]


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value) if isinstance(value, int | float) else None
