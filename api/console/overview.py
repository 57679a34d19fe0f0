"""The first page: what the server does, and what lies in the visitor's channels; live by server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import get
from litestar.response import ServerSentEvent, Template

from api.console import figures
from api.console.console import Console, ConsoleHere
from api.console.statistics import days_until_today
from api.console.visitors import SignedOut, Visitor
from api.edge.refusals import AnyRequest
from api.errors import Busy, StatisticsError
from api.stats.store import Question

MOST_STREAMS = 16
"""Pages that are updated live at the same time; further ones stay as they are."""
EVERY_SECONDS = 2.0
WEEK = 7


@get(["/", "/overview"])
async def overview(request: AnyRequest, console: ConsoleHere) -> Template:
    return await console.page(request, "overview.html", lambda visitor: _shown(console, visitor))


def _shown(console: Console, visitor: Visitor) -> dict[str, Any]:
    service = console.service
    mine = visitor.channels(service.catalogue)
    counts = service.catalogue.counts()
    shown: dict[str, Any] = {
        "channels": len(mine),
        "pictures": sum(counts.get(channel.name, 0) for channel in mine),
        "matches": _matches(console, visitor),
        "ready": service.readiness.ready,
    }
    if visitor.is_operator:
        shown |= {
            "photos": figures.photos(service),
            "stages": figures.stages(service),
            "lanes": figures.lanes(service),
            "memory": figures.memory_bytes(),
            "gallery": figures.gallery(service),
            "counting": service.count_store.state(),
        }
    return shown


def _matches(console: Console, visitor: Visitor) -> dict[str, int] | None:
    """Today and in the last seven days; None where the counts cannot be read."""
    first, today = days_until_today(console.service.settings.time_zone, WEEK)
    question = Question(first=first, last=today, user_id=visitor.user_id)
    try:
        days = console.service.count_store.by_day(question, group="channel")
    except StatisticsError:
        return None
    return {"today": sum(d.count for d in days if d.day == today), "week": sum(d.count for d in days)}


@get("/overview/live")
async def live(request: AnyRequest, console: ConsoleHere) -> ServerSentEvent:
    """A JSON object of texts by figure, again and again. It ends when the server stops, or the session does."""
    await console.run(request, lambda visitor: visitor)
    return ServerSentEvent(
        _events(request, console),
        retry_duration=5_000,
        headers={"X-Accel-Buffering": "no"},  # a proxy is to pass each event on at once
    )


async def _events(request: AnyRequest, console: Console) -> AsyncIterator[str]:
    if console.streams >= MOST_STREAMS:
        return
    console.streams += 1
    try:
        while not console.service.is_stopping():
            try:
                shown = await console.run(request, lambda visitor: _shown(console, visitor))
                yield msgspec.json.encode(_texts(shown)).decode()
            except SignedOut:
                return
            except Busy:
                pass  # it has better things to do: the next turn shows more
            for _ in range(round(EVERY_SECONDS / 0.2)):
                if console.service.is_stopping():
                    return
                await asyncio.sleep(0.2)
    finally:
        console.streams -= 1


def _texts(shown: dict[str, Any]) -> dict[str, str]:
    """What stands in the elements with `data-figure`, as the template writes it."""
    found = {"channels": f"{shown['channels']:,}", "pictures": f"{shown['pictures']:,}"}
    if shown["matches"]:
        found |= {f"matches_{name}": f"{count:,}" for name, count in shown["matches"].items()}
    if "photos" in shown:
        counted = shown["photos"]
        found |= {name: f"{counted[name]:,.0f}" for name in ("answered", "missed", "refused")}
        found["a_second"] = f"{counted['a_second']:.2f}"
        for lane in shown["lanes"]:
            found[f"lane_{lane['name']}"] = f"{lane['inside']} / {lane['capacity']}"
    return {name: text.replace(",", "\u202f") for name, text in found.items()}


HANDLERS = [overview, live]
