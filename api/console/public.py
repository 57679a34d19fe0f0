"""/try: one channel, for everybody, where the operator allows it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Template

from api.accounts import open_channels
from api.console import answers
from api.console.console import Console, ConsoleHere
from api.console.forms import SHORT, read_open_form
from api.console.trying import count, photo_of
from api.edge.door import asks
from api.edge.refusals import AnyRequest
from engine.catalogue import Channel
from engine.catalogue.rules import CHANNEL_NAME
from engine.errors import ChannelNotFound
from engine.recognise.answer import Recognition


def _open(console: Console, name: str) -> Channel:
    """The channel of that name; without one, the only one that is open. Raises ChannelNotFound, for one that is not
    open as for one that does not exist, and where its owner is disabled."""
    catalogue = console.service.catalogue
    if name:
        found = [catalogue.channel(name)] if CHANNEL_NAME.fullmatch(name) else []
    else:
        found = [channel for channel in catalogue.channels() if open_channels.is_open(catalogue, channel)]
    if len(found) != 1 or not open_channels.is_open(catalogue, found[0]):
        raise ChannelNotFound(name[:64])
    owner = found[0].owner
    if owner is not None and console.service.accounts.user_by_id(owner).disabled:
        raise ChannelNotFound(name[:64])
    return found[0]


def _name(request: AnyRequest) -> str:
    return str(request.path_params.get("channel", "")) or request.query_params.get("channel", "")


def _page(request: AnyRequest, console: Console, channel: Channel, answer: answers.Shown | None) -> Template:
    return console.rendered(request, "public.html", {"channel": channel, "answer": answer})


@get(["/try", "/try/{channel:str}"])
async def form(request: AnyRequest, console: ConsoleHere) -> Template:
    channel = await console.service.door.short.run(lambda: _open(console, _name(request)))
    return _page(request, console, channel, None)


@post(["/try", "/try/{channel:str}"], status_code=200)
async def find(request: AnyRequest, console: ConsoleHere) -> Template:
    async with read_open_form(request, console, fields={}, files=("image",)) as given:
        photo = photo_of(given.files.get("image"))
        channel, recognition = await _look(console, _name(request), photo)
        await count(console, recognition)
        answer = await answers.shown(console, photo, recognition, reasons=False)
    return _page(request, console, channel, answer)


@post("/try/{channel:str}/frame", status_code=200)
async def frame(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """As the console's own: see `trying.frame`."""
    async with read_open_form(request, console, fields={"seen": SHORT}, files=("image",)) as given:
        photo = photo_of(given.files.get("image"))
        _, recognition = await _look(console, _name(request), photo)
        await count(console, recognition, seen=given.values.get("seen", ""))
    content = msgspec.json.encode(answers.as_json(console, recognition, everything=False))
    return Response(content, status_code=200, media_type="application/json")


async def _look(console: Console, name: str, photo: bytes) -> tuple[Channel, Recognition]:
    """What strangers ask counts as the owner's requests, and is told to the lanes as such."""

    def admitted() -> Channel:
        channel = _open(console, name)
        if channel.owner is not None:
            console.service.access.admit_user(console.service.accounts.user_by_id(channel.owner))
        return channel

    channel = await console.service.door.short.run(admitted)
    if channel.owner is not None:
        asks(channel.owner)
    recognition = await console.service.recognition.look(lambda: [_open(console, name)], photo, k=1)
    return channel, recognition


HANDLERS = [form, find, frame]
