"""The catalogue's tables, and the values that their rows become."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

_tables = sa.MetaData()
meta_table = sa.Table("meta", _tables, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text))
channel_table = sa.Table(
    "channel",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("owner", sa.Integer),
    sa.Column("quota", sa.Integer),
    sa.Column("created_at", sa.Float),
)
picture_table = sa.Table(
    "picture",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("channel_id", sa.Integer),
    sa.Column("identifier", sa.Text),
    sa.Column("uuid", sa.Text),
    sa.Column("metadata", sa.Text),
    sa.Column("threshold", sa.Float),
    sa.Column("active", sa.Boolean),
    sa.Column("facts", sa.Text),
    sa.Column("level", sa.Integer),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("keypoints", sa.Integer),
    sa.Column("added_at", sa.Float),
    sa.Column("updated_at", sa.Float),
)
feature_table = sa.Table(
    "feature",
    _tables,
    sa.Column("picture_id", sa.Integer, primary_key=True),
    sa.Column("keypoints", sa.LargeBinary),
    sa.Column("vector", sa.LargeBinary),
    sa.Column("orb", sa.LargeBinary),
)
rendition_table = sa.Table(
    "rendition",
    _tables,
    sa.Column("picture_id", sa.Integer, primary_key=True),
    sa.Column("jpeg", sa.LargeBinary),
)
change_table = sa.Table(
    "change",
    _tables,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("picture_id", sa.Integer),
    sa.Column("channel_id", sa.Integer),
    sa.Column("kind", sa.Text),
)


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
    """keypoints: bytes of `engine.records`; vector: bytes of the global descriptor (int8); jpeg: the
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
