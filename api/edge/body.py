"""Reading request bodies while they arrive: forms as multipart, urlencoded or JSON.

Limits hold while receiving. A file that grows too large is no longer kept but still read, up to
`max_body_bytes`, so that the client gets to its answer; beyond that the connection ends. Fields that the
caller does not want are never kept. A value that is no text (bytes that are not UTF-8, a nested JSON value, a
field given twice) becomes `UNREADABLE`, which no rule accepts, so each method refuses it in its own order.

Multipart is parsed as it comes, in pieces. Other bodies are decoded when they are whole: in the lane, not on the
event loop, unless they are small.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import multipart  # type: ignore[import-untyped]
from litestar.types import Receive

from api.edge.door import Lane
from api.edge.flat_json import Nested, Number, Value, read_object
from api.edge.limits import LEAST_BYTES_A_SECOND, SMALL_BYTES, Holding, MemoryShare
from api.edge.url_form import read_fields, unquoted
from api.errors import BodyTooLarge, Busy, MalformedBody

T = TypeVar("T")
UNREADABLE = "\ufffd\ufffd"
SMALL_FIELD_BYTES = 4096
"""Longest text of a field that has no limit of its own; none of them accepts more than 64 characters."""
OTHER_FIELDS_BYTES = 65_536
"""Most bytes of all fields together that the rules do not name."""
ESCAPED = 3
"""Bytes of a body for one byte of a field: percent signs need three, and so does JSON for what is not ASCII. (It needs
six for control characters, which texts hold few of.)"""
MOST_PARTS = 1_000
FRAMING_BYTES = 65_536
"""Of a multipart body: boundaries and headers of its parts. Chosen: ten times what ten parts of a browser's need."""
_PLAIN_REASON = re.compile(r"[A-Za-z0-9 ,.:()/+-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class FormRules:
    """What a body may hold, and what is kept of it."""

    fields: Mapping[str, int]
    """Byte limit by name of each text field that is kept."""
    other_fields: int = -1
    """Byte limit of fields that are not named; below zero: they are not kept."""
    files: tuple[str, ...] = ()
    """Names of the file parts; empty where the method has no file."""
    max_file_bytes: int
    """A larger file is read and thrown away."""
    max_whole_bytes: int = 0
    """The largest limit with which `read_whole` is asked for a body of these rules."""
    max_drain_bytes: int
    """How much more than the largest legal body is read and thrown away; beyond it the connection ends."""
    timeout_seconds: float
    """Longest time in which the whole body arrives."""
    stall_seconds: float = math.inf
    """Longest time in which less than LEAST_BYTES_A_SECOND of it arrives."""
    retry_after_seconds: int
    """Advice where no memory is left for it."""

    @property
    def most_kept(self) -> int:
        """Bytes of a multipart body that are kept at most."""
        others = OTHER_FIELDS_BYTES if self.other_fields >= 0 else 0
        return sum(self.fields.values()) + others + len(self.files) * self.max_file_bytes

    @property
    def most_escaped(self) -> int:
        """Bytes of a urlencoded or JSON body that are kept at most, before it is decoded."""
        return ESCAPED * sum(self.fields.values()) + SMALL_FIELD_BYTES

    @property
    def most_reserved(self) -> int:
        """Bytes that the largest body needs, whatever its form: no smaller memory share lets it in without a length."""
        escaped = 0 if self.files else self.most_escaped
        return max(self.most_kept, escaped, self.max_whole_bytes)

    @property
    def max_body_bytes(self) -> int:
        """What is read of a body; beyond it the connection ends."""
        return self.most_reserved + FRAMING_BYTES + self.max_drain_bytes


@dataclass(kw_only=True)
class Form:
    """What was read of a body."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    """Text by field."""
    unreadable: set[str] = field(default_factory=set)
    """Fields whose value is UNREADABLE."""
    too_long: set[str] = field(default_factory=set)
    """Fields above their limit."""
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    """Bytes by file part; those that were not sent are missing."""
    files_too_large: set[str] = field(default_factory=set)
    """Files that were thrown away, of which no byte is left."""
    client: str = ""
    """Whose request it is (`client_of`)."""

    def text(self, name: str) -> str | None:
        """The value, or None where the field is missing or empty."""
        return self.values.get(name) or None

    def put(self, name: str, value: str | None) -> None:
        """value: None where it is no text. Two values of one field contradict each other: neither is taken."""
        if value is None or name in self.values:
            self.unreadable.add(name)
            value = UNREADABLE
        self.values[name] = value

    def put_limited(self, name: str, value: str | None, limit: int) -> None:
        """The same; a value of more than `limit` bytes is too long, and no text."""
        if value is not None and (len(value) > limit or len(value.encode("utf-8")) > limit):
            self.too_long.add(name)
            value = None
        self.put(name, value)


class BodyReader:
    """Reads one body. `close` gives back the memory that its bytes held."""

    def __init__(self, rules: FormRules, share: MemoryShare, *, lane: Lane, client: str = "") -> None:
        """lane: decodes what is not small. client: see `limits.client_network`."""
        self.rules, self._share, self._lane, self._client = rules, share, lane, client
        self._holding: Holding | None = None
        self._received, self._lately = 0, 0
        self._deadline = asyncio.timeout(None)
        self._ends = math.inf

    def close(self) -> None:
        """May be called more than once."""
        if self._holding is not None:
            self._share.give_back(self._holding)
            self._holding = None

    async def read(self, receive: Receive, content_type: str, *, length: int | None = None) -> Form:
        """length: what the client says; None: it does not. Raises MalformedBody, BodyTooLarge, Busy. The body was read
        to its end, unless the error says close."""
        kind, options = multipart.parse_options_header(content_type)
        if kind == "multipart/form-data":
            return await self._guarded(receive, lambda chunks: self._multipart(chunks, options, length))
        if self.rules.files:
            return await self._guarded(receive, _not_multipart)
        body = await self._guarded(receive, lambda chunks: self._whole(chunks, self.rules.most_escaped, length))
        if kind == "application/x-www-form-urlencoded":
            return await self._decoded(lambda: self._url_form(body), body)
        if kind == "application/json":
            return await self._decoded(lambda: self._json(body), body)
        if body and not body.isspace():
            raise MalformedBody("send multipart/form-data, application/x-www-form-urlencoded or application/json")
        return Form()

    async def read_whole(self, receive: Receive, *, limit: int, length: int | None = None) -> bytearray:
        """The body as it is, of at most `limit` bytes. length and errors: as for `read`."""
        return await self._guarded(receive, lambda chunks: self._whole(chunks, limit, length))

    async def _decoded(self, decode: Callable[[], T], body: bytearray) -> T:
        return decode() if len(body) <= SMALL_BYTES else await self._lane.run(decode)

    async def _guarded(self, receive: Receive, reading: Callable[[AsyncIterator[bytes]], Awaitable[T]]) -> T:
        """Within the times that the rules set. What is refused holds no memory while its rest is read away."""
        loop = asyncio.get_running_loop()
        self._ends = loop.time() + self.rules.timeout_seconds
        chunks = self._chunks(receive)
        try:
            async with asyncio.timeout_at(self._ends) as self._deadline:
                self._window_begins()
                try:
                    return await reading(chunks)
                except (MalformedBody, BodyTooLarge, Busy) as error:
                    self.close()
                    if not getattr(error, "close", False):
                        async for _ in chunks:  # so that the client, which still sends, gets to read the answer
                            pass
                    raise
        except TimeoutError as error:
            raise self._late() from error

    def _late(self) -> MalformedBody | Busy:
        if self._holding is not None and self._holding.dropped:
            return self._too_many()
        if asyncio.get_running_loop().time() < self._ends:
            least, seconds = LEAST_BYTES_A_SECOND, self.rules.stall_seconds
            return MalformedBody(f"fewer than {least} bytes a second came for {seconds:g} s", close=True)
        return MalformedBody(f"it did not arrive within {self.rules.timeout_seconds:g} s", close=True)

    def _too_many(self) -> Busy:
        return Busy("too many large requests at once", retry_after_seconds=self.rules.retry_after_seconds)

    def _window_begins(self) -> None:
        self._lately = 0
        ends = asyncio.get_running_loop().time() + self.rules.stall_seconds
        self._deadline.reschedule(min(self._ends, ends))

    async def _chunks(self, receive: Receive) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MalformedBody("the connection ended before the body did", close=True)
            assert message["type"] == "http.request"
            chunk = message["body"]
            more = message["more_body"]
            self._count(len(chunk))
            if more and self._received > self.rules.max_body_bytes:
                raise BodyTooLarge("body", self.rules.max_file_bytes, close=True)
            if chunk:
                yield chunk

    def _count(self, count: int) -> None:
        self._received += count
        self._lately += count
        if self._holding is not None:
            if self._holding.dropped:  # bytes may come before the time that `_give_way` set to zero is seen to be over
                raise self._too_many()
            self._holding.arrived(count)
        if self._lately >= LEAST_BYTES_A_SECOND * self.rules.stall_seconds and not self._deadline.expired():
            self._window_begins()

    def _reserve(self, size: int) -> None:
        """All of it, before the first byte is kept: bodies that take a part each could all be refused the rest."""
        self._holding = self._share.reserve(size, address=self._client, give_way=self._give_way)
        if self._holding is None:
            raise self._too_many()

    def _give_way(self) -> None:
        if not self._deadline.expired():
            self._deadline.reschedule(0)

    def _complete(self, size: int) -> None:
        """All has come; `size` bytes of it are kept."""
        assert self._holding is not None
        if self._holding.dropped:
            raise self._too_many()
        self._holding.give_way = None
        self._share.shrink(self._holding, size)

    async def _whole(self, chunks: AsyncIterator[bytes], limit: int, length: int | None) -> bytearray:
        if length is not None and length > limit:
            raise BodyTooLarge("body", limit)
        self._reserve(limit if length is None else length)
        kept = bytearray()
        async for chunk in chunks:
            if len(kept) + len(chunk) > limit:
                raise BodyTooLarge("body", limit)
            kept += chunk
        self._complete(len(kept))
        return kept

    async def _multipart(self, chunks: AsyncIterator[bytes], options: Mapping[str, str], length: int | None) -> Form:
        most = self.rules.most_kept
        self._reserve(most if length is None else min(most, length))
        form, parts = Form(), _Parts(self.rules)
        try:
            # Names of ours are ASCII; what a file is called may come in any encoding, and is of no interest.
            boundary = options.get("boundary", "").encode("latin-1")
            parser = multipart.PushMultipartParser(
                boundary, max_segment_count=MOST_PARTS, header_charset="latin-1", strict=False
            )
            async for chunk in chunks:
                if parser.closed:
                    continue  # bytes after the closing boundary mean nothing
                for event in parser.parse(chunk):
                    if isinstance(event, multipart.MultipartSegment):
                        parts.open(_as_utf8(event.name or ""))
                    elif event is None:
                        parts.finish(form)
                    else:
                        parts.add(event)
            parser.close()
        except (multipart.MultipartError, UnicodeEncodeError) as error:
            raise MalformedBody(f"multipart: {_reason(error)}") from error
        self._complete(parts.kept)
        return form

    def _url_form(self, body: bytearray) -> Form:
        form = Form()
        for name, value in read_fields(body):
            limit = self.rules.fields.get(name)
            if limit is None:
                continue
            if len(value) > ESCAPED * limit:
                form.too_long.add(name)
                form.put(name, None)
            else:
                form.put_limited(name, _text(unquoted(value)), limit)
        return form

    def _json(self, body: bytearray) -> Form:
        """Strings as they are, numbers and booleans as their text, null as absent."""
        form = Form()
        for name, value in read_object(body):
            if value is not None and name in self.rules.fields:
                form.put_limited(name, _json_text(value), self.rules.fields[name])
        return form


class _Parts:
    """The parts of a multipart body while they arrive, one after the other."""

    def __init__(self, rules: FormRules) -> None:
        self._rules = rules
        self._name, self._limit, self._too_long = "", -1, False
        self._data = bytearray()
        self._others = 0
        self.kept = 0
        """Bytes of finished parts."""

    def open(self, name: str) -> None:
        rules = self._rules
        self._limit = rules.max_file_bytes if name in rules.files else rules.fields.get(name, rules.other_fields)
        if name not in rules.files and name not in rules.fields:
            self._limit = min(self._limit, OTHER_FIELDS_BYTES - self._others)
        self._name, self._too_long, self._data = name, False, bytearray()

    def add(self, chunk: bytes) -> None:
        """A limit below zero: the part is not wanted, nothing is kept."""
        if self._too_long or self._limit < 0:
            return
        if len(self._data) + len(chunk) > self._limit:
            self._too_long = True
            self._data.clear()
            return
        self._data += chunk

    def finish(self, form: Form) -> None:
        """Raises MalformedBody for a second file."""
        self.kept += len(self._data)
        if self._name in self._rules.files:
            if self._name in form.files:
                raise MalformedBody(f"two parts are named {self._name}")
            form.files[self._name] = bytes(self._data)
            if self._too_long:
                form.files_too_large.add(self._name)
        elif self._limit >= 0:
            form.put(self._name, None if self._too_long else _text(bytes(self._data)))
            if self._too_long:
                form.too_long.add(self._name)
            if self._name not in self._rules.fields:
                self._others += len(self._name) + len(self._data)
        self._data = bytearray()


async def _not_multipart(_: AsyncIterator[bytes]) -> Form:
    raise MalformedBody("the content type is not multipart/form-data")


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _as_utf8(name: str) -> str:
    """A header's text that was decoded as Latin-1, as what it is where it is UTF-8."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return name


def _reason(error: Exception) -> str:
    """What the parser says, where that is a sentence: some of its texts hold the bytes that it met."""
    text = str(error)
    return text if _PLAIN_REASON.fullmatch(text) else "the parts cannot be told from each other"


def _json_text(value: Value) -> str | None:
    """None where it is no text. Raises MalformedBody for a number that none can hold."""
    if isinstance(value, Number):
        if len(value) > 400 or not math.isfinite(float(value)):
            raise MalformedBody("JSON: a number is out of range")
        return str(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return None if value is None or isinstance(value, Nested) else value
