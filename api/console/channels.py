"""Channels: their pictures, quotas and owners, the apps and databases that reach them, and whether anybody may try
them."""

from __future__ import annotations

from typing import Any

import segno
from litestar import Response, get, post
from litestar.response import Template

from api.accounts import open_channels
from api.accounts.store import User
from api.console.console import Console, ConsoleHere
from api.console.forms import SHORT, read_form
from api.console.numbers import read_quota
from api.console.samples import address_of, samples
from api.console.visitors import NotAllowed, Visitor
from api.edge.refusals import AnyRequest
from engine.catalogue import Channel
from engine.catalogue.rules import check_channel_name
from engine.errors import ChannelExists


@get("/channels")
async def channels(request: AnyRequest, console: ConsoleHere) -> Template:
    return await console.page(request, "channels.html", lambda visitor: _shown(console, visitor))


def _shown(console: Console, visitor: Visitor) -> dict[str, Any]:
    service = console.service
    counts = service.catalogue.counts()
    users = {user.id: user for user in service.accounts.users()} if visitor.is_operator else {}
    rows = [
        {
            "name": channel.name,
            "owner": users[channel.owner].name if channel.owner in users else "",
            "pictures": counts.get(channel.name, 0),
            "quota": channel.quota,
            "is_open": open_channels.is_open(service.catalogue, channel),
        }
        for channel in visitor.channels(service.catalogue)
    ]
    may_add = visitor.is_operator or (service.settings.auto_create_channel and not visitor.readonly)
    return {
        "rows": rows,
        "users": list(users.values()),
        "may_add": may_add,
        "apps": service.apps.all(user_id=visitor.user_id),
        "databases": service.databases.all(user_id=visitor.user_id),
    }


@post("/channels", status_code=303)
async def add(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """The operator adds one for a user; a user one of its own where the setting `auto_create_channel` says so."""
    async with read_form(request, console, fields={"channel": SHORT, "user": SHORT, "quota": SHORT}) as form:

        def work(visitor: Visitor) -> None:
            name = form.values.get("channel", "").strip()
            check_channel_name(name)
            if visitor.user is None:
                owner = console.service.accounts.user(form.values.get("user", ""))
                _made_or_adopted(console, name, owner, quota=read_quota(form.values.get("quota", "")))
            elif console.service.settings.auto_create_channel:
                console.service.access.ensure_channel(visitor.user, name)
            else:
                raise NotAllowed("operator")
            console.done(visitor, "channel_added", channel=name)

        await console.run(request, work, changes=True)
    return console.to("/console/channels")


def _made_or_adopted(console: Console, name: str, owner: User, *, quota: int | None) -> None:
    """As `obverse channel add` does: a channel without an owner becomes the user's. Raises ChannelExists."""
    catalogue = console.service.catalogue
    try:
        catalogue.add_channel(name, owner=owner.id, quota=quota)
    except ChannelExists:
        found = catalogue.channel(name)
        if found.owner is not None:
            raise
        catalogue.update_channel(found, owner=owner.id, quota=found.quota if quota is None else quota)


@get("/channels/one")
async def one(request: AnyRequest, console: ConsoleHere) -> Template:
    """A channel by itself. Its name is in the query: a name may be `..`, which is no part of a path."""
    name = request.query_params.get("channel", "")

    def show(visitor: Visitor) -> dict[str, Any]:
        service = console.service
        channel = visitor.channel(service.catalogue, name)
        return {
            "channel": channel,
            "pictures": service.catalogue.count(channel),
            "owner": _owner(console, channel),
            "is_open": open_channels.is_open(service.catalogue, channel),
            "address": address_of(request, console, f"/try?channel={channel.name}"),
            "code": qr_code(address_of(request, console, f"/try?channel={channel.name}")),
            "samples": samples(address_of(request, console, ""), channel.name),
        }

    return await console.page(request, "channel.html", show)


def _owner(console: Console, channel: Channel) -> User | None:
    return None if channel.owner is None else console.service.accounts.user_by_id(channel.owner)


def qr_code(text: str) -> str:
    """The address as SVG, black on white with the quiet zone that readers need (ISO/IEC 18004)."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(scale=5, border=4, light="#fff", dark="#000")


@post("/channels/quota", status_code=303)
async def quota(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """Pictures above it stay; only new ones are refused."""
    async with read_form(request, console, fields={"channel": SHORT, "quota": SHORT}) as form:

        def work(visitor: Visitor) -> str:
            visitor.check_operator()
            channel = visitor.channel(console.service.catalogue, form.values.get("channel", ""))
            limit = read_quota(form.values.get("quota", ""))
            console.service.catalogue.update_channel(channel, owner=channel.owner, quota=limit)
            console.done(visitor, "quota_set", channel=channel.name, about="" if limit is None else str(limit))
            return channel.name

        name = await console.run(request, work, changes=True)
    return console.to(f"/console/channels/one?channel={name}")


@post("/channels/try", status_code=303)
async def opened_to_all(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """Whether anybody may try the channel: the operator's to say."""
    async with read_form(request, console, fields={"channel": SHORT, "open": SHORT}) as form:

        def work(visitor: Visitor) -> str:
            visitor.check_operator()
            channel = visitor.channel(console.service.catalogue, form.values.get("channel", ""))
            to_all = form.values.get("open") == "on"
            open_channels.set_open(console.service.catalogue, channel, to_all=to_all)
            console.done(visitor, "channel_opened" if to_all else "channel_closed", channel=channel.name)
            return channel.name

        name = await console.run(request, work, changes=True)
    return console.to(f"/console/channels/one?channel={name}")


HANDLERS = [channels, add, one, quota, opened_to_all]
