"""Dates as the wire has them: a year, a month or a day, read as the first or the last day of it."""

from __future__ import annotations

import calendar
import datetime as dt
import re

from engine.errors import InvalidValue

_FORM = re.compile(r"([0-9]{4})([0-9]{2})?([0-9]{2})?")
RULE = "yyyy, yyyyMM or yyyyMMdd, a date that exists"


def first_day(name: str, text: str) -> dt.date:
    """The first day of the year, month or day. Raises InvalidValue that names the field `name`."""
    return _date(name, text, last=False)


def last_day(name: str, text: str) -> dt.date:
    """The last day of the year, month or day. Raises InvalidValue that names the field `name`."""
    return _date(name, text, last=True)


def _date(name: str, text: str, *, last: bool) -> dt.date:
    found = _FORM.fullmatch(text)
    if not found:
        raise InvalidValue(name, RULE)
    year = int(found[1])
    month = int(found[2] or (12 if last else 1))
    if not (1 <= month <= 12 and year >= 1):
        raise InvalidValue(name, RULE)
    length = calendar.monthrange(year, month)[1]
    day = int(found[3] or (length if last else 1))
    if not 1 <= day <= length:
        raise InvalidValue(name, RULE)
    return dt.date(year, month, day)
