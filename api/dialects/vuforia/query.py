"""The query: which active targets a photo shows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import multipart  # type: ignore[import-untyped]

from api.accounts.databases import Database
from api.dialects.vuforia import images, targets
from api.dialects.vuforia.asked import QUERY_SIDE, Request, check_active, check_date, who
from api.dialects.vuforia.codes import SUCCESS
from api.dialects.vuforia.errors import (
    LEAST_RESULTS,
    MOST_RESULTS,
    BoundaryMissing,
    ContentTypeMissing,
    DispositionMissing,
    ImageMissing,
    NotAcceptable,
    NotMultipart,
    UnknownParameters,
    UnreadableParts,
    WrongCount,
    WrongTargetData,
)
from api.edge.body import MOST_PARTS
from api.edge.door import asks
from api.errors import BodyTooLarge
from engine.catalogue import Picture
from engine.errors import ImageTooSmall, TooFewFeatures
from engine.recognise.answer import Match

NAME = "query"
KNOWN = frozenset({"image", "max_num_results", "include_target_data"})
MOST_INTEGER = 2**31 - 1
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*")
_SHOWN = 100
"""Characters of a wrong value that its answer repeats."""
TargetData = Literal["top", "all", "none"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A query that passed the checks."""

    database: Database
    photo: bytes = field(repr=False)
    most: int
    """Results, 1 to 50."""
    data: TargetData
    """Which of them tell about their target."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a multipart body."""

    data: bytes = field(repr=False)
    is_file: bool

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def check(request: Request) -> Question:
    """In the vendor's order; work for a thread. Raises what `who` does, and the other rows of `codes.QUERY`."""
    database = who(request, QUERY_SIDE)
    check_active(database)
    if request.headers.get("accept") not in (None, "application/json", "*/*"):
        raise NotAcceptable
    check_date(request, QUERY_SIDE)
    parts = read_parts(request)
    if parts.keys() - KNOWN:
        raise UnknownParameters
    image = parts.get("image")
    if image is None or not image.is_file:
        raise ImageMissing
    images.check_photo(request.service.settings, image.data)
    limit = images.query_bytes(request.service.settings)
    if len(image.data) > limit:
        raise BodyTooLarge("image", limit)
    count, data = parts.get("max_num_results"), parts.get("include_target_data")
    most = 1 if count is None else _most(count.text)
    return Question(
        database=database, photo=image.data, most=most, data="top" if data is None else _target_data(data.text)
    )


def read_parts(request: Request) -> Mapping[str, Part]:
    """By name; of a name that comes twice the first counts. Raises ContentTypeMissing, NotMultipart, BoundaryMissing,
    ImageMissing, DispositionMissing, UnreadableParts."""
    if not request.content_type:
        raise ContentTypeMissing
    kind, options = multipart.parse_options_header(request.content_type)
    if kind not in ("multipart/form-data", "*/*"):
        raise NotMultipart
    boundary = options.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise BoundaryMissing
    if boundary not in request.body:
        raise ImageMissing
    found: dict[str, Part] = {}
    opened, data = None, bytearray()
    try:
        parser = multipart.PushMultipartParser(
            boundary, max_segment_count=MOST_PARTS, header_charset="latin-1", strict=False
        )
        for event in parser.parse(request.body):
            if isinstance(event, multipart.MultipartSegment):
                opened, data = event, bytearray()
            elif event is not None:
                data += event
            elif opened is not None:
                found.setdefault(opened.name or "", Part(data=bytes(data), is_file=opened.filename is not None))
        parser.close()
    except multipart.MultipartError as error:
        if str(error).startswith("Missing Content-Disposition"):
            raise DispositionMissing from error
        raise UnreadableParts from error
    return found


def _most(text: str) -> int:
    number = int(text) if _INTEGER.fullmatch(text) else MOST_INTEGER + 1
    if number > MOST_INTEGER:
        raise WrongCount(text[:_SHOWN], whole=False)
    if not LEAST_RESULTS <= number <= MOST_RESULTS:
        raise WrongCount(text[:_SHOWN], whole=True)
    return number


def _target_data(text: str) -> TargetData:
    if text.lower() not in ("top", "all", "none"):
        raise WrongTargetData(text[:_SHOWN])
    return cast(TargetData, text.lower())


async def answer(request: Request, question: Question) -> dict[str, Any]:
    """Counts the best match. A photo that shows too little shows no target."""
    service, seconds = request.service, request.service.settings.vuforia_processing_seconds
    asks(question.database.user.id)
    found: list[Match] = []
    with contextlib.suppress(TooFewFeatures, ImageTooSmall):
        recognition = await service.recognition.find(
            question.database.user,
            question.database.channel,
            question.photo,
            k=question.most,
            client=request.client,
            answers=lambda picture: not targets.is_new(picture.updated_at, seconds),
        )
        # Look-alikes that cannot be told apart are no answer; copies of one picture all are.
        found = [match for match in recognition.results if match.accepted and recognition.answer is not None]
    results = [
        _told(match.picture, with_data=question.data == "all" or (question.data == "top" and place == 0))
        for place, match in enumerate(found)
    ]
    return {"result_code": SUCCESS, "results": results}


def _told(picture: Picture, *, with_data: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"target_id": targets.target_id_of(picture.uuid)}
    if with_data:
        told["target_data"] = {
            "target_timestamp": int(picture.updated_at),
            "name": targets.name_of(picture),
            "application_metadata": targets.application_metadata(picture),
        }
    return told
