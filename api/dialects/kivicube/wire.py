"""What goes over the wire: answers as structures, values from text, numbers as the contract writes them."""

from __future__ import annotations

import math
import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.edge.body import Form
from engine.errors import InvalidValue

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?|\.[0-9]{1,20}([eE][+-]?[0-9]{1,3})?")
_COUNT = re.compile(r"[0-9]{1,18}")
Level = Annotated[int, Meta(ge=1, le=5, description="How easily the picture is recognised, 1 to 5 (easiest).")]
Ratio = Annotated[float, Meta(ge=0, le=100, description="Percent.")]
Quad = Annotated[
    list[tuple[float, float]],
    Meta(description="Corners of the picture in pixels of the upright photo, clockwise from the picture's top left."),
]


class Answer(msgspec.Struct, kw_only=True):
    """What every answer has; fields that are not set are left out."""

    returncode: int = 0
    message: Annotated[str, Meta(description="With an error: what went wrong, for people.")] | UnsetType = UNSET


class AddImageAnswer(Answer, kw_only=True):
    level: Level | UnsetType = UNSET


class RemoveImageAnswer(Answer, kw_only=True):
    """Only the code."""


class UpdateImageInfoAnswer(Answer, kw_only=True):
    """Only the code."""


class ListedImage(msgspec.Struct, kw_only=True):
    identifier: str
    metadata: str
    matchratio: Ratio


class GetImagesAnswer(Answer, kw_only=True):
    totalcount: int | UnsetType = UNSET
    images: list[ListedImage] | UnsetType = UNSET


class GetImageAnswer(Answer, kw_only=True):
    metadata: str | UnsetType = UNSET
    matchratio: Ratio | UnsetType = UNSET
    level: Level | UnsetType = UNSET


class DayRecord(msgspec.Struct, kw_only=True):
    """Matches of one day, of a channel or, where a channel was asked for, of a picture."""

    date: Annotated[str, Meta(description="yyyyMMdd")]
    channel: str | UnsetType = UNSET
    identifier: str | UnsetType = UNSET
    count: int


class StatisticsAnswer(Answer, kw_only=True):
    username: str | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    records: list[DayRecord] | UnsetType = UNSET


class Candidate(msgspec.Struct, kw_only=True):
    identifier: str
    channel: str
    matchratio: Ratio
    quad: Quad


class FindImageAnswer(Answer, kw_only=True):
    """Without `identifier`: no picture matched. `explain=1` adds matchratio, quad, timings_ms and because; `limit=N`
    adds results, best first, which also show look-alikes that could not be told apart; `mirrored=1` adds mirrored."""

    identifier: str | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    matchratio: Ratio | UnsetType = UNSET
    quad: Quad | UnsetType = UNSET
    timings_ms: dict[str, float] | UnsetType = UNSET
    because: str | UnsetType = UNSET
    mirrored: bool | UnsetType = UNSET
    results: list[Candidate] | UnsetType = UNSET


def plain_number(value: float) -> float:
    """60.0 as 60, as the contract's examples write it; at most two decimals."""
    rounded = round(float(value), 2)
    return int(rounded) if rounded.is_integer() else rounded


def read_ratio(form: Form) -> float | None:
    """`matchratio` in percent: up to 1 it is a fraction. None where it is absent. Raises InvalidValue."""
    text = form.values.get("matchratio")
    if text is None:
        return None
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not 0 < value <= 100:
        raise InvalidValue("matchratio", "a number above 0: up to 1 a fraction, up to 100 percent")
    return value * 100 if value <= 1 else value


def read_metadata(form: Form, *, limit: int) -> str | None:
    """The text byte for byte; None where it is absent. Raises InvalidValue."""
    if "metadata" in form.too_long:
        raise InvalidValue("metadata", f"at most {limit} bytes")
    text = form.values.get("metadata")
    if text is not None and "metadata" in form.unreadable:
        raise InvalidValue("metadata", "one string in UTF-8")
    return text


def read_count(form: Form, name: str, *, default: int, least: int, most: int) -> int:
    """A whole number. Raises InvalidValue."""
    text = form.values.get(name)
    if text is None:
        return default
    if not _COUNT.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidValue(name, f"a whole number from {least} to {most}")
    return int(text)


def read_switch(form: Form, name: str) -> bool:
    """Absent, empty or 0: off; 1: on. Raises InvalidValue."""
    text = form.values.get(name) or "0"
    if text not in ("0", "1"):
        raise InvalidValue(name, "0 or 1")
    return text == "1"
