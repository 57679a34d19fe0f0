"""Misses: photos that matched nothing, grouped by what they show, each group a picture that may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Template

from api.console.console import Console, ConsoleHere
from api.console.forms import SHORT, read_form
from api.console.visitors import Visitor
from api.edge.refusals import AnyRequest
from api.misses.store import Box, Miss
from api.rules.pictures import NewPicture, check_identifier
from engine.catalogue import Channel
from engine.errors import InvalidValue, PictureNotFound

SHOWN = 50
"""Groups on the page, those with most photos first."""
MOST_NUMBER = 2**63
"""Beyond it SQLite has no numbers."""
SIDES = ("left", "top", "right", "bottom")
_PRIVATE = {"Cache-Control": "private, max-age=3600"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """A cluster as the page shows it."""

    id: int
    count: int
    first_at: float
    last_at: float
    channels: tuple[str, ...]
    best: int
    """Number of its sharpest photo."""
    width: int
    height: int
    percent: tuple[int, int, int, int]
    """Where its photos agree: left, top, right, bottom."""


@get("/misses")
async def misses(request: AnyRequest, console: ConsoleHere) -> Template:
    return await console.page(request, "misses.html", lambda visitor: _shown(console, visitor))


def _shown(console: Console, visitor: Visitor) -> dict[str, Any]:
    rules = console.service.misses
    groups = [
        Group(
            id=cluster.id,
            count=cluster.count,
            first_at=cluster.first_at,
            last_at=cluster.last_at,
            channels=cluster.channels,
            best=cluster.best.id,
            width=cluster.best.width,
            height=cluster.best.height,
            percent=_percent(cluster.best.box),
        )
        for cluster in rules.clusters(user_id=visitor.user_id, limit=SHOWN)
    ]
    return {
        "on": rules.on,
        "hours": console.service.settings.keep_misses_hours,
        "groups": groups,
        "names": [channel.name for channel in visitor.channels(console.service.catalogue)],
    }


def _percent(box: Box) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return int(100 * left), int(100 * top), round(100 * right), round(100 * bottom)


@get("/misses/{number:int}/photo.jpg")
async def photo(request: AnyRequest, console: ConsoleHere, number: FromPath[int]) -> Response[bytes]:
    """A kept photo. Raises NotFoundException, for another user's as well."""

    def work(visitor: Visitor) -> bytes:
        _own(console, visitor, number)
        jpeg = console.service.misses.store and console.service.misses.store.jpeg(number)
        if not jpeg:
            raise NotFoundException
        return jpeg

    return Response(await console.run(request, work), media_type="image/jpeg", headers=_PRIVATE)


def _own(console: Console, visitor: Visitor, number: int) -> Miss:
    """Raises NotFoundException."""
    store = console.service.misses.store
    found = None if store is None or not 0 < number < MOST_NUMBER else store.get(number)
    if found is None or visitor.user_id not in (None, found.user_id):
        raise NotFoundException
    return found


@post("/misses/add", status_code=303)
async def add(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """Adds a part of a kept photo as a picture, and forgets its group. Raises what `PictureRules.add_to` does."""
    fields = {"miss": SHORT, "channel": SHORT, "identifier": SHORT, **dict.fromkeys(SIDES, SHORT)}
    async with read_form(request, console, fields=fields) as form:
        values = form.values

    def check(visitor: Visitor) -> tuple[Visitor, Channel, Miss, NewPicture, bytes]:
        found = _own(console, visitor, _number(values.get("miss", "")))
        channel = visitor.channel(console.service.catalogue, values.get("channel", ""))
        new = NewPicture(
            channel=channel.name,
            identifier=check_identifier(values.get("identifier")),
            facts={"source": f"miss {found.id}"},
        )
        image = console.service.misses.cropped(found.id, _box(values))
        if image is None:
            raise PictureNotFound(channel.name, values.get("identifier", "")[:50])
        return visitor, channel, found, new, image

    visitor, channel, found, new, image = await console.run(request, check, changes=True)
    console.admit(visitor)
    picture = await console.service.pictures.add_to(channel, new, image)
    await console.run(request, lambda _: _forget(console, found.cluster), changes=True)
    console.done(visitor, "miss_added", channel=channel.name, about=picture.identifier)
    return console.to(f"/console/pictures/{picture.uuid}")


@post("/misses/remove", status_code=303)
async def remove(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """Forgets a group."""
    async with read_form(request, console, fields={"miss": SHORT}) as form:
        number = _number(form.values.get("miss", ""))

    def work(visitor: Visitor) -> None:
        _forget(console, _own(console, visitor, number).cluster)
        console.done(visitor, "misses_removed", about=str(number))

    await console.run(request, work, changes=True)
    return console.to("/console/misses")


def _forget(console: Console, cluster: int) -> None:
    if console.service.misses.store is not None:
        console.service.misses.store.remove(cluster)


def _number(text: str) -> int:
    """Raises InvalidValue."""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidValue("miss", "the number of a kept photo")
    return int(text)


def _box(values: dict[str, str]) -> Box:
    """Raises InvalidValue."""
    found = []
    for name in SIDES:
        text = values.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= 100):
            raise InvalidValue(name, "a whole number from 0 to 100")
        found.append(int(text) / 100)
    left, top, right, bottom = found
    if left >= right or top >= bottom:
        raise InvalidValue("left", "left of right, and top above bottom")
    return left, top, right, bottom


HANDLERS = [misses, photo, add, remove]
