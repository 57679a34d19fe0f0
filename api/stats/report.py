"""What `obverse stats` shows. The running server answers it, or the command itself where none runs."""

from __future__ import annotations

import msgspec

from api.stats.store import CountStore, DayCount, Question


class TopPicture(msgspec.Struct, kw_only=True, frozen=True):
    channel: str
    identifier: str
    count: int


class Report(msgspec.Struct, kw_only=True, frozen=True):
    """Counts of some days."""

    days: list[DayCount]
    """Matches by day and channel."""
    top: list[TopPicture]
    """The pictures that matched most in these days."""


def report(store: CountStore, question: Question, *, limit: int) -> Report:
    top = [TopPicture(channel=c, identifier=i, count=n) for c, i, n in store.top(question, limit=limit)]
    return Report(days=store.by_day(question, group="channel"), top=top)
