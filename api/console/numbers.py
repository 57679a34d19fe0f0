"""Numbers and days as forms have them. All raise InvalidValue, which names the field."""

from __future__ import annotations

import datetime as dt
import math

from engine.errors import InvalidValue


def read_quota(text: str) -> int | None:
    """Empty: no limit."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidValue("quota", "a whole number, or nothing for no limit")
    return int(text)


def read_threshold(text: str) -> float | None:
    """Empty: the default. 0 to 100."""
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise InvalidValue("threshold", "a number from 0 to 100, or nothing for the default")
    return value


def read_day(name: str, text: str, default: dt.date) -> dt.date:
    """As `<input type=date>` sends it; empty: the default."""
    if not text:
        return default
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(name, "a day such as 2026-01-31") from None


def read_whole(name: str, text: str, *, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and least <= int(text) <= most):
        raise InvalidValue(name, f"a whole number from {least} to {most}")
    return int(text)
