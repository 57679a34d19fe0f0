"""Many files in one form, each handled as soon as it has come: a browser without scripts sends them all at once, and
together they may be far larger than the memory for bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import multipart  # type: ignore[import-untyped]

from api.console.console import Console
from api.edge.refusals import AnyRequest
from api.edge.requests import client_of
from api.errors import Busy, MalformedBody

MOST_PARTS = 2_000


@dataclass(kw_only=True)
class Part:
    """One part of the form, whole."""

    name: str
    filename: str | None
    """What the browser calls the file; None: the part is a field."""
    content: bytes = field(default=b"", repr=False)
    too_large: bool = False
    """Its content was thrown away."""


async def parts(request: AnyRequest, console: Console, *, field_bytes: int) -> AsyncIterator[Part]:
    """In the order in which the browser sends them: that of the form. Memory for one file is held meanwhile.

    field_bytes: limit of each field. Raises MalformedBody, also where it is no multipart form or comes to a stand;
    Busy where no memory is left.
    """
    settings, share = console.service.settings, console.service.memory
    kind, options = multipart.parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        raise MalformedBody("send multipart/form-data", close=True)
    holding = share.reserve(settings.max_image_bytes, address=client_of(request))
    if holding is None:
        raise Busy("no memory is left for a file", retry_after_seconds=settings.retry_after_seconds)
    try:
        parser = multipart.PushMultipartParser(
            options.get("boundary", ""), max_segment_count=MOST_PARTS, header_charset="utf-8", strict=False
        )
        collected = _Collected(file_bytes=settings.max_image_bytes, field_bytes=field_bytes)
        async for chunk in _chunks(request, stall_seconds=settings.body_stall_seconds):
            holding.arrived(len(chunk))
            if parser.closed:
                continue
            for event in parser.parse(chunk):
                if (part := collected.take(event)) is not None:
                    yield part
        parser.close()
    except (multipart.MultipartError, UnicodeError) as error:
        raise MalformedBody("multipart: the parts cannot be told from each other", close=True) from error
    finally:
        share.give_back(holding)


class _Collected:
    """A part while it comes."""

    def __init__(self, *, file_bytes: int, field_bytes: int) -> None:
        self._file_bytes, self._field_bytes = file_bytes, field_bytes
        self._part = Part(name="", filename=None)
        self._data = bytearray()

    def take(self, event: object) -> Part | None:
        """What the parser tells; gives the part that is whole now."""
        if isinstance(event, multipart.MultipartSegment):
            self._part, self._data = Part(name=event.name or "", filename=event.filename), bytearray()
        elif event is None:
            self._part.content = bytes(self._data)
            self._data = bytearray()
            return self._part
        elif not self._part.too_large:
            assert isinstance(event, bytes | bytearray)
            limit = self._field_bytes if self._part.filename is None else self._file_bytes
            if len(self._data) + len(event) > limit:
                self._part.too_large, self._data = True, bytearray()
            else:
                self._data += event
        return None


async def _chunks(request: AnyRequest, *, stall_seconds: float) -> AsyncIterator[bytes]:
    """Raises MalformedBody where nothing comes for so long, or the connection ends."""
    more = True
    while more:
        try:
            async with asyncio.timeout(stall_seconds):
                message = await request.receive()
        except TimeoutError as error:
            raise MalformedBody("nothing more came", close=True) from error
        if message["type"] != "http.request":
            raise MalformedBody("the connection ended before the body did", close=True)
        more = message["more_body"]
        if message["body"]:
            yield message["body"]
