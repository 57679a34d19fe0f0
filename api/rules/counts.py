"""What is counted, and who may be told the counts."""

from __future__ import annotations

import asyncio
import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

from api.accounts.store import User
from api.errors import Overdue
from api.settings import Settings
from api.stats.store import CountStore, DayCount, Question
from api.stats.writer import CountWriter
from engine.catalogue import Catalogue, Channel, Picture
from engine.catalogue.rules import IDENTIFIER
from engine.errors import ChannelNotFound, PictureNotFound


@dataclass(frozen=True, kw_only=True)
class Recos:
    """How often something was answered; months are the calendar's, in the zone of the counts."""

    total: int
    this_month: int
    last_month: int


class CountRules:
    """A count belongs to the user who asked, and to the names that the picture and its channel had then."""

    def __init__(self, settings: Settings, catalogue: Catalogue, store: CountStore, writer: CountWriter) -> None:
        self._settings, self._catalogue = settings, catalogue
        self._store, self._writer = store, writer

    async def count_match(self, user_id: int, picture: Picture) -> None:
        """Counts an answered match; durable when this returns. Raises StatisticsError, Overdue."""
        waiting = asyncio.wrap_future(self._writer.count(user_id, picture.channel, picture.identifier))
        done, _ = await asyncio.wait({waiting}, timeout=self._settings.deadline_seconds)
        if not done:
            raise Overdue("the count is not written yet", retry_after_seconds=self._settings.retry_after_seconds)
        waiting.result()

    def matches_by_day(
        self, user: User, days: tuple[dt.date, dt.date], *, channel: Channel | None, identifier: str | None
    ) -> list[DayCount]:
        """Counts by day and, without a channel, by channel; with one, by identifier.

        Raises PictureNotFound for an identifier that neither exists there nor was ever counted.
        """
        name = channel.name if channel else None
        if identifier is not None and not self._known(user, channel, identifier):
            raise PictureNotFound(name or "", identifier[:50])
        question = Question(first=days[0], last=days[1], user_id=user.id, channel=name, identifier=identifier)
        return self._store.by_day(question, group="identifier" if channel else "channel")

    def recos(self, user: User, channel: Channel, identifiers: Sequence[str] | None) -> Recos:
        """How often pictures of the channel were answered to the user; identifiers: these alone; None: all."""
        today = dt.datetime.now(zoneinfo.ZoneInfo(self._settings.time_zone)).date()
        this_month = today.replace(day=1)
        last_month = (this_month - dt.timedelta(days=1)).replace(day=1)
        days: list[DayCount] = []
        for identifier in [None] if identifiers is None else identifiers:
            question = Question(
                first=dt.date.min, last=dt.date.max, user_id=user.id, channel=channel.name, identifier=identifier
            )
            days += self._store.by_day(question, group="channel")
        return Recos(
            total=sum(day.count for day in days),
            this_month=sum(day.count for day in days if day.day >= this_month),
            last_month=sum(day.count for day in days if last_month <= day.day < this_month),
        )

    def _known(self, user: User, channel: Channel | None, identifier: str) -> bool:
        if not IDENTIFIER.fullmatch(identifier):
            return False
        # One query, however many channels the user has.
        exists = self._catalogue.owner_has(user.id, identifier) if channel is None else self._is_in(channel, identifier)
        return exists or self._store.ever_counted(user.id, identifier, channel=channel.name if channel else None)

    def _is_in(self, channel: Channel, identifier: str) -> bool:
        try:
            self._catalogue.picture(channel, identifier)
        except (PictureNotFound, ChannelNotFound):
            return False
        return True
