"""The values that the catalogue's rows become."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A named part of a gallery."""

    id: int
    name: str
    owner: int | None
    """Number of the user it belongs to; None: made without an account."""
    quota: int | None
    """Most pictures; None: no limit."""
    created_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture's facts; times are seconds since 1970."""

    id: int
    """Its number: grows with every picture that is added or gets another image, and is never used again."""
    channel: str
    identifier: str
    uuid: str
    metadata: str = field(repr=False)
    threshold: float | None
    """Least match ratio of an answer, 0-100; None: the default."""
    active: bool
    """False hides it from recognition."""
    facts: dict[str, Any] = field(repr=False)
    """What dialects store beside the rest."""
    level: int
    """1-5, higher is easier to recognise."""
    width: int
    height: int
    """Pixels of the picture as it was given, without its plain margins."""
    keypoints: int
    added_at: float
    updated_at: float


class PictureChanges(TypedDict, total=False):
    """What shall change of a picture; what is left out stays as it is."""

    identifier: str
    metadata: str
    threshold: float | None
    active: bool
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class StoredFeatures:
    """What is stored of a picture beside its facts."""

    keypoints: bytes = field(repr=False)
    """As `engine.describe.records` lays them out."""
    vector: bytes = field(repr=False)
    """The global descriptor, int8."""
    jpeg: bytes | None = field(repr=False, default=None)
    """The normalised picture, where it is kept."""
    orb: bytes | None = field(repr=False, default=None)
    """ORB's bits, where they are kept."""


@dataclass(frozen=True)
class Change:
    """One entry of the log."""

    seq: int
    picture_id: int
    channel_id: int
    kind: Literal["add", "remove", "update"]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """An entry of the log, with the names that its picture has now."""

    seq: int
    kind: Literal["add", "remove", "update"]
    channel: Channel
    picture_id: int
    identifier: str | None
    """None where the picture is gone."""
    uuid: str | None
    """None where the picture is gone."""


def as_picture(row: Any, channel: str) -> Picture:
    """A row of the picture table, with its channel's name."""
    values = {name: getattr(row, name) for name in Picture.__dataclass_fields__ if name not in ("channel", "facts")}
    return Picture(channel=channel, facts=json.loads(row.facts), **values)


def as_columns(changes: PictureChanges) -> dict[str, Any]:
    """Values for the picture table. Raises TypeError for a field that no picture has."""
    if unknown := set(changes) - PictureChanges.__optional_keys__:
        known = ", ".join(sorted(PictureChanges.__optional_keys__))
        raise TypeError(f"a picture has no {', '.join(sorted(unknown))} to change; there are {known}")
    values: dict[str, Any] = dict(changes)
    if "facts" in values:
        values["facts"] = json.dumps(values["facts"])
    return values
