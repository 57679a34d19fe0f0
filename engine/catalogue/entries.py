"""The values that the catalogue's rows become."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Channel:
    """owner: number of the user it belongs to (None: made without an account); quota: most pictures."""

    id: int
    name: str
    owner: int | None
    quota: int | None
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture's facts. threshold: least match ratio of an answer, 0-100 (None: the default);
    level: 1-5, higher is easier to recognise; width, height: pixels of the picture as it was given;
    active: False hides it from recognition; facts: what dialects store beside the rest; times: seconds
    since 1970."""

    id: int
    channel: str
    identifier: str
    uuid: str
    metadata: str = field(repr=False)
    threshold: float | None
    active: bool
    facts: dict[str, Any] = field(repr=False)
    level: int
    width: int
    height: int
    keypoints: int
    added_at: float
    updated_at: float


@dataclass(frozen=True, kw_only=True)
class StoredFeatures:
    """keypoints: bytes of `engine.describe.records`; vector: bytes of the global descriptor (int8); jpeg: the
    normalised picture or None; orb: ORB's bits or None."""

    keypoints: bytes = field(repr=False)
    vector: bytes = field(repr=False)
    jpeg: bytes | None = field(repr=False, default=None)
    orb: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Change:
    """One entry of the log; kind: "add", "remove" or "update"."""

    seq: int
    picture_id: int
    channel_id: int
    kind: str


def as_picture(row: Any, channel: str) -> Picture:
    """A row of the picture table, with its channel's name."""
    values = {name: getattr(row, name) for name in Picture.__dataclass_fields__ if name not in ("channel", "facts")}
    return Picture(channel=channel, facts=json.loads(row.facts), **values)
