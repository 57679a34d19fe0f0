"""Answered matches by day, channel and picture: a drawing, a table, and a CSV file."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zoneinfo
from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.response import Template

from api.console.charts import bars
from api.console.console import Console, ConsoleHere
from api.console.numbers import read_day
from api.console.visitors import Visitor
from api.edge.refusals import AnyRequest
from api.errors import StatisticsError
from api.stats.store import DayCount, Question
from engine.catalogue.rules import CHANNEL_NAME, IDENTIFIER
from engine.errors import InvalidValue

DAYS = 30
MOST_DAYS = 3_660
TOP = 20


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the address of the page says."""

    first: dt.date
    last: dt.date
    channel: str
    """Empty: all."""
    identifier: str
    """Empty: all."""

    def question(self, visitor: Visitor) -> Question:
        return Question(
            first=self.first,
            last=self.last,
            user_id=visitor.user_id,
            channel=self.channel or None,
            identifier=self.identifier or None,
        )


def _asked(request: AnyRequest, time_zone: str) -> Asked:
    """Raises InvalidValue."""
    given = request.query_params
    first, last = days_until_today(time_zone, DAYS)
    first, last = read_day("from", given.get("from", ""), first), read_day("to", given.get("to", ""), last)
    if not 0 <= (last - first).days < MOST_DAYS:
        raise InvalidValue("from", f"a day before the other one, of {MOST_DAYS} days at most")
    channel, identifier = given.get("channel", ""), given.get("identifier", "").strip()
    if channel and not CHANNEL_NAME.fullmatch(channel):
        raise InvalidValue("channel", "the name of a channel")
    if identifier and not IDENTIFIER.fullmatch(identifier):
        raise InvalidValue("identifier", "the identifier of a picture")
    return Asked(first=first, last=last, channel=channel, identifier=identifier)


def days_until_today(time_zone: str, number: int) -> tuple[dt.date, dt.date]:
    """The first and the last of so many days, in the zone by which matches are counted."""
    today = dt.datetime.now(zoneinfo.ZoneInfo(time_zone)).date()
    return today - dt.timedelta(days=number - 1), today


def counts_by_day(
    console: Console, visitor: Visitor, first: dt.date, last: dt.date, *, channel: str, identifier: str
) -> dict[dt.date, int] | None:
    """Of one picture; None where the counts cannot be read."""
    asked = Asked(first=first, last=last, channel=channel, identifier=identifier)
    try:
        found = console.service.count_store.by_day(asked.question(visitor), group="identifier")
    except StatisticsError:
        return None
    return {count.day: count.count for count in found}


@get("/statistics")
async def statistics(request: AnyRequest, console: ConsoleHere) -> Template:
    """Raises InvalidValue, StatisticsError where the counts cannot be read."""
    asked = _asked(request, console.service.settings.time_zone)

    def show(visitor: Visitor) -> dict[str, Any]:
        store, question = console.service.count_store, asked.question(visitor)
        by_channel = store.by_day(question, group="channel")
        days: dict[dt.date, int] = {}
        names: dict[str, int] = {}
        for count in by_channel:
            days[count.day] = days.get(count.day, 0) + count.count
            names[count.name] = names.get(count.name, 0) + count.count
        return {
            "asked": asked,
            "names": [channel.name for channel in visitor.channels(console.service.catalogue)],
            "total": sum(days.values()),
            "days": sorted(days.items(), reverse=True),
            "by_channel": sorted(names.items(), key=lambda item: (-item[1], item[0])),
            "top": store.top(question, limit=TOP),
            "chart": bars(days, asked.first, asked.last),
            "counting": store.state(),
        }

    return await console.page(request, "statistics.html", show)


@get("/statistics.csv")
async def table(request: AnyRequest, console: ConsoleHere) -> Response[bytes]:
    """day, channel, identifier, matches: one line for each picture and day, of all channels where none is chosen."""
    asked = _asked(request, console.service.settings.time_zone)

    def work(visitor: Visitor) -> bytes:
        names = [asked.channel] if asked.channel else _counted_channels(console, visitor, asked)
        rows: list[tuple[DayCount, str]] = []
        for name in names:
            question = Asked(first=asked.first, last=asked.last, channel=name, identifier=asked.identifier)
            found = console.service.count_store.by_day(question.question(visitor), group="identifier")
            rows += [(count, name) for count in found]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
        writer.writerow(["day", "channel", "identifier", "matches"])
        for count, name in sorted(rows, key=lambda row: (row[0].day, row[1], row[0].name)):
            writer.writerow([count.day.isoformat(), name, count.name, count.count])
        return text.getvalue().encode()

    content = await console.run(request, work)
    headers = {"Content-Disposition": f'attachment; filename="obverse-{asked.first}-{asked.last}.csv"'}
    return Response(content, media_type="text/csv", headers=headers)


def _counted_channels(console: Console, visitor: Visitor, asked: Asked) -> list[str]:
    """Those that were counted in the time, some of which may be gone."""
    return sorted(
        {count.name for count in console.service.count_store.by_day(asked.question(visitor), group="channel")}
    )


HANDLERS = [statistics, table]
