"""Try: which picture a photo shows, where it lies in it, and why, or why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Template

from api.console import answers
from api.console.console import Console, ConsoleHere
from api.console.forms import SHORT, read_form
from api.console.samples import address_of, samples
from api.console.visitors import Visitor
from api.edge.refusals import AnyRequest
from engine.catalogue import Channel, Picture
from engine.errors import InvalidValue
from engine.recognise.answer import Recognition

CANDIDATES = 5


@get("/try")
async def form(request: AnyRequest, console: ConsoleHere) -> Template:
    chosen = request.query_params.get("channel", "")
    return await console.page(request, "try.html", lambda visitor: _shown(request, console, visitor, chosen, None))


def _shown(
    request: AnyRequest,
    console: Console,
    visitor: Visitor,
    chosen: str,
    answer: answers.Shown | None,
    *,
    several: bool = False,
) -> dict[str, Any]:
    names = [channel.name for channel in visitor.channels(console.service.catalogue)]
    return {
        "names": names,
        "chosen": chosen,
        "answer": answer,
        "several": several,
        "samples": samples(address_of(request, console, ""), chosen or (names[0] if names else "CHANNEL")),
    }


@post("/try", status_code=200)
async def find(request: AnyRequest, console: ConsoleHere) -> Template:
    """An answered match is counted, as any client's is. Raises the engine's ImageErrors, Busy."""
    async with read_form(request, console, fields={"channel": SHORT, "several": SHORT}, files=("image",)) as given:
        chosen, photo = given.values.get("channel", ""), photo_of(given.files.get("image"))
        several = given.values.get("several") == "on"
        visitor = await console.run(request, lambda visitor: visitor)
        recognition = await _look(console, visitor, chosen, photo, several=several)
        await (count_each if several else count)(console, recognition)
        answer = await answers.shown(console, photo, recognition, reasons=True)
    return await console.page(
        request, "try.html", lambda v: _shown(request, console, v, chosen, answer, several=several)
    )


@post("/try/frame", status_code=200)
async def frame(request: AnyRequest, console: ConsoleHere) -> Response[bytes]:
    """One frame of a camera, answered as JSON. It counts where another picture comes into view than the one that the
    page shows already (`seen`): a client would have stopped at its first answer."""
    async with read_form(request, console, fields={"channel": SHORT, "seen": SHORT}, files=("image",)) as given:
        photo = photo_of(given.files.get("image"))
        visitor = await console.run(request, lambda visitor: visitor)
        recognition = await _look(console, visitor, given.values.get("channel", ""), photo)
        await count(console, recognition, seen=given.values.get("seen", ""))
    content = msgspec.json.encode(answers.as_json(console, recognition, everything=True))
    return Response(content, status_code=200, media_type="application/json")


def photo_of(file: bytes | None) -> bytes:
    """Raises InvalidValue where none was chosen."""
    if not file:
        raise InvalidValue("image", "choose a photo")
    return file


async def _look(console: Console, visitor: Visitor, chosen: str, photo: bytes, *, several: bool = False) -> Recognition:
    catalogue = console.service.catalogue
    console.admit(visitor)
    channels: Callable[[], list[Channel]] = (
        (lambda: [visitor.channel(catalogue, chosen)]) if chosen else (lambda: visitor.channels(catalogue))
    )
    if several:
        return await console.service.recognition.look_for_several(channels, photo, most=CANDIDATES)
    return await console.service.recognition.look(channels, photo, k=CANDIDATES)


async def count(console: Console, recognition: Recognition, *, seen: str = "") -> None:
    """Counts an answered match for the owner of its channel; one without an owner has no counts. Raises
    StatisticsError, Overdue."""
    if recognition.answer is not None and recognition.answer.picture.identifier != seen:
        await _count(console, recognition.answer.picture)


async def count_each(console: Console, recognition: Recognition) -> None:
    """The same of all pictures that a photo shows, each once."""
    for picture in {match.picture.id: match.picture for match in recognition.results}.values():
        await _count(console, picture)


async def _count(console: Console, picture: Picture) -> None:
    owner = await console.service.door.short.run(lambda: console.service.catalogue.channel(picture.channel).owner)
    if owner is not None:
        await console.service.counts.count_match(owner, picture)


HANDLERS = [form, find, frame]
