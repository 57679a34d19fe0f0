"""One picture: what is kept of it, how easily it is recognised and why, how often it was, and its sisters."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Template

from api.console.charts import bars
from api.console.console import Console, ConsoleHere
from api.console.forms import SHORT, read_form
from api.console.numbers import read_threshold
from api.console.statistics import counts_by_day, days_until_today
from api.console.visitors import Visitor
from api.edge.refusals import AnyRequest
from engine.catalogue import Channel, Picture, PictureChanges
from engine.errors import ChannelNotFound, ImageError, PictureNotFound
from engine.image import decode_kept, encode_jpeg, resize_long_side

DAYS = 30
THUMB_SIDE = 240
SHOWN_METADATA = 20_000
"""Characters that a page shows and lets change; longer metadata is the programs' affair."""
_KEPT = {"Cache-Control": "private, max-age=86400, immutable"}
"""Addresses of pictures hold the picture's number, which another image changes."""


def _found(console: Console, visitor: Visitor, uuid: FromPath[str]) -> tuple[Channel, Picture]:
    """Raises PictureNotFound, also for another user's."""
    picture = console.service.catalogue.picture_by_uuid(uuid.lower())
    if picture is None:
        raise PictureNotFound("", uuid[:50])
    try:
        return visitor.channel(console.service.catalogue, picture.channel), picture
    except ChannelNotFound as error:
        raise PictureNotFound("", uuid[:50]) from error


@get("/pictures/{uuid:str}")
async def picture(request: AnyRequest, console: ConsoleHere, uuid: FromPath[str]) -> Template:
    return await console.page(request, "picture.html", lambda visitor: _shown(console, visitor, uuid))


def _shown(console: Console, visitor: Visitor, uuid: FromPath[str]) -> dict[str, Any]:
    channel, picture = _found(console, visitor, uuid)
    service = console.service
    first, last = days_until_today(service.settings.time_zone, DAYS)
    days = counts_by_day(console, visitor, first, last, channel=channel.name, identifier=picture.identifier)
    return {
        "channel": channel,
        "picture": picture,
        "metadata": picture.metadata[:SHOWN_METADATA],
        "metadata_is_cut": len(picture.metadata) > SHOWN_METADATA,
        "is_kept": service.catalogue.rendition(picture.id) is not None,
        "points": service.pictures.keypoints(picture),
        "advice": _advice(console, picture),
        "default_threshold": service.recognizer.default_threshold,
        "forecast": console.forecast,
        "days": days,
        "chart": None if days is None else bars(days, first, last),
        "sisters": None,
    }


def _advice(console: Console, picture: Picture) -> list[str]:
    """Keys of texts on what would raise the level, the weakest side first."""
    grades = console.service.pictures.grades(picture)
    sides = {
        "distinctiveness": grades.detectable_distinctiveness,
        "count": grades.detectable_feature_count,
        "distribution": grades.detectable_feature_distribution,
    }
    weak = sorted((side for side, grade in sides.items() if grade), key=lambda side: -sides[side])
    return weak if picture.level < 5 else []


@get("/pictures/{uuid:str}/sisters")
async def sisters(request: AnyRequest, console: ConsoleHere, uuid: FromPath[str]) -> Template:
    """The same page with the pictures of the channel that are like this one. The engine looks for them."""

    def find(visitor: Visitor) -> tuple[Visitor, Channel, Picture, bytes | None]:
        channel, picture = _found(console, visitor, uuid)
        return visitor, channel, picture, console.service.catalogue.rendition(picture.id)

    visitor, channel, picture, kept = await console.run(request, find)
    matches = []
    if kept is not None:
        console.admit(visitor)
        lane, rules = console.service.door.long, console.service.recognition
        try:
            matches = await lane.run(lambda: rules.similar_in([channel], kept))
        except ImageError:  # so little detail that nothing is like it
            matches = []
    found = [match for match in matches if match.picture.uuid != picture.uuid]
    return await console.page(
        request, "picture.html", lambda visitor: {**_shown(console, visitor, uuid), "sisters": found}
    )


@get("/pictures/{uuid:str}/picture.jpg")
async def kept(request: AnyRequest, console: ConsoleHere, uuid: FromPath[str]) -> Response[bytes]:
    """The kept JPEG. Raises PictureNotFound."""
    return _jpeg(await console.run(request, lambda visitor: _kept(console, visitor, uuid)))


@get("/pictures/{uuid:str}/thumb.jpg")
async def thumb(request: AnyRequest, console: ConsoleHere, uuid: FromPath[str]) -> Response[bytes]:
    """The same, THUMB_SIDE pixels at most; a damaged one is not found, and the gallery's own log says so."""

    def work(visitor: Visitor) -> bytes:
        image = decode_kept(_kept(console, visitor, uuid), long_side=THUMB_SIDE)
        return encode_jpeg(resize_long_side(image, min(THUMB_SIDE, max(image.shape[:2]))), quality=80)

    return _jpeg(await console.run(request, work))


def _kept(console: Console, visitor: Visitor, uuid: FromPath[str]) -> bytes:
    _, picture = _found(console, visitor, uuid)
    jpeg = console.service.catalogue.rendition(picture.id)
    if jpeg is None:
        raise NotFoundException
    return jpeg


def _jpeg(content: bytes) -> Response[bytes]:
    return Response(content, media_type="image/jpeg", headers=_KEPT)


@post("/pictures/{uuid:str}", status_code=303)
async def change(request: AnyRequest, console: ConsoleHere, uuid: FromPath[str]) -> Response[Any]:
    """Threshold, metadata and whether it is active. What is cut on the page is not sent back, and stays."""
    limit = console.service.settings.max_metadata_bytes
    fields = {"threshold": SHORT, "active": SHORT, "metadata": limit, "uncut": SHORT}
    async with read_form(request, console, fields=fields) as form:

        def work(visitor: Visitor) -> None:
            channel, picture = _found(console, visitor, uuid)
            changes = PictureChanges(
                threshold=read_threshold(form.values.get("threshold", "")), active=form.values.get("active") == "on"
            )
            if "uncut" in form.values:
                changes["metadata"] = form.values.get("metadata", "").replace("\r\n", "\n")
            console.service.pictures.update(channel, picture, changes)
            console.done(visitor, "picture_changed", channel=channel.name, about=picture.identifier)

        await console.run(request, work, changes=True)
    return console.to(f"/console/pictures/{uuid}")


HANDLERS = [picture, sisters, kept, thumb, change]
