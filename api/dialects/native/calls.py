"""What the calls do: each reads what was sent, asks the rules, and fills its answer."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from litestar.types import Receive

from api.accounts.store import User
from api.dialects.native import contract, wire
from api.dialects.native.who import login
from api.edge.body import Form
from api.edge.door import asks
from api.edge.spool import drain, spool
from api.errors import BodyTooLarge
from api.rules.changes import KINDS
from api.rules.imports import ENDED, Kind
from api.service import Service
from engine.catalogue import Channel, Picture
from engine.errors import InvalidValue, ObverseError
from engine.upkeep.archives import exported

LISTS = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
"""Content types of lists of addresses."""
LIST_BYTES = 50_000_000
_NUMBER = re.compile(r"[0-9]{1,18}")


async def compare(service: Service, header: str, form: Form) -> wire.Compared:
    """Checked in this order: who asks, what is missing or too much, the stored picture, sizes, images."""

    def check() -> tuple[User, Picture | None]:
        user = login(service, header, form.values, reads_only=True)
        for name in sorted(form.unreadable):
            raise InvalidValue(name, "one text of legal length, in UTF-8")
        _demand(service, form, "image", others=())
        stored = ("channel", "identifier")
        _demand(service, form, "picture", others=stored)
        picture = None
        if any(form.text(name) for name in stored):
            channel = service.access.own_channel(user, form.text("channel"))
            picture = service.pictures.picture(channel, form.text("identifier"))
        for name in sorted(form.files_too_large):
            raise BodyTooLarge(name, service.settings.max_image_bytes)
        return user, picture

    user, stored = await service.door.short.run(check)
    asks(user.id)
    async with contextlib.AsyncExitStack() as held:
        image = await held.enter_async_context(service.fetcher.given(form, "image"))
        picture: Picture | bytes
        if stored is None:
            picture = await held.enter_async_context(service.fetcher.given(form, "picture"))
        else:
            picture = stored
        return wire.compared(await service.recognition.compare(picture, image))


def _demand(service: Service, form: Form, name: str, *, others: tuple[str, ...]) -> None:
    """Raises InvalidValue unless it is sent in just one way. others: fields that stand for it together."""
    url = f"{name}_url"
    ways = [
        *([f"`{name}`"] if name in form.files else []),
        *([f"`{url}`"] if service.fetcher.is_named(form, name) else []),
        *(["`" + "` and `".join(others) + "`"] if any(form.text(other) for other in others) else []),
    ]
    if len(ways) > 1:
        raise InvalidValue(name, f"sent in one way, not as {' and as '.join(ways)}")
    if not ways:
        legal = [f"the file `{name}`", *([f"`{url}`"] if service.fetcher.on else [])]
        legal += ["`" + "` and `".join(others) + "`"] if others else []
        raise InvalidValue(name, f"sent as {' or as '.join(legal)}")


async def changes(service: Service, header: str, asked: Mapping[str, str]) -> wire.Changes:
    def work() -> wire.Changes:
        user = login(service, header, {}, reads_only=False)
        after = _number(asked, "after", default=0, least=0, most=10**18)
        limit = _number(asked, "limit", default=contract.MOST_CHANGES, least=1, most=contract.MOST_CHANGES)
        page = service.changes.page(user, asked.get("channel") or None, after=after, limit=limit)
        entries = [
            wire.Changed(
                seq=entry.seq,
                change=KINDS[entry.kind],
                channel=entry.channel.name,
                picture=entry.picture_id,
                identifier=entry.identifier,
                uuid=entry.uuid,
            )
            for entry in page.entries
        ]
        return wire.Changes(changes=entries, next=page.next, more=page.more)

    return await service.door.short.run(work)


async def take_import(
    service: Service, header: str, asked: Mapping[str, str], content_type: str, receive: Receive
) -> wire.Import:
    """Who asks, and where it shall go, is known before the body is read."""
    settings, begun = service.settings, False
    kind: Kind = "list" if content_type.partition(";")[0].strip().lower() in LISTS else "archive"

    async def write(path: Path) -> int:
        nonlocal begun
        begun = True
        limit = min(LIST_BYTES, settings.max_import_bytes) if kind == "list" else settings.max_import_bytes
        return await spool(receive, path, limit=limit, stall_seconds=settings.body_stall_seconds)

    def check() -> tuple[User, str]:
        user = login(service, header, {}, reads_only=False)
        channel = service.access.channel_for_adding(user, asked.get("channel"))
        if kind == "list" and not service.fetcher.on:
            raise InvalidValue("content-type", "a tar or zip: the setting `image_url` is off")
        return user, channel

    try:
        user, channel = await service.door.short.run(check)
        job = await service.imports.take(user, channel, kind, write)
    except ObverseError:
        if not begun:
            await drain(receive, limit=settings.max_drain_bytes, stall_seconds=settings.body_stall_seconds)
        raise
    return wire.of_job(job)


async def list_imports(service: Service, header: str) -> wire.Imports:
    user = await service.door.short.run(lambda: login(service, header, {}, reads_only=False))
    return wire.Imports(imports=[wire.of_job(job) for job in service.imports.jobs(user)])


async def show_import(service: Service, header: str, asked: Mapping[str, str], number: str) -> wire.Report:
    user = await service.door.short.run(lambda: login(service, header, {}, reads_only=False))
    job = service.imports.job(user, number)
    after = _number(asked, "after", default=0, least=0, most=10**9)
    limit = _number(asked, "limit", default=contract.MOST_ITEMS, least=1, most=contract.MOST_ITEMS)
    told = wire.of_job(job)  # before the report is read: what comes meanwhile is told the next time
    items = await service.door.short.run(lambda: service.imports.items(job, after=after, limit=limit))
    done = told.added + told.present + told.refused
    following = after + len(items)
    return wire.Report(told=told, items=items, next=following, more=told.state not in ENDED or following < done)


async def stop_import(service: Service, header: str, number: str) -> wire.Import:
    user = await service.door.short.run(lambda: login(service, header, {}, reads_only=False))
    job = service.imports.job(user, number)
    await service.imports.stop(job)
    return wire.of_job(job)


async def export(service: Service, header: str, asked: Mapping[str, str]) -> tuple[str, AsyncIterator[bytes]]:
    """The channel's name, and the archive in pieces."""

    def check() -> Channel:
        user = login(service, header, {}, reads_only=False)
        return service.access.own_channel(user, asked.get("channel"))

    channel = await service.door.short.run(check)
    pieces = exported(service.catalogue, channel)

    async def sent() -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(next, pieces, None):
            yield piece

    return channel.name, sent()


def _number(asked: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """Raises InvalidValue."""
    text = asked.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidValue(name, f"a whole number from {least} to {most}")
    return int(text)
