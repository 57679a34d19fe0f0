"""Looking through a channel: pages by key, a search in identifiers and metadata, filters. Functions of a connection.

What is read of a picture is bounded: metadata may be 2 MB, and a page has dozens of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from engine.catalogue.entries import Channel
from engine.catalogue.tables import picture_table

METADATA_CHARACTERS = 200
"""Of the beginning of the metadata in a Glimpse."""


@dataclass(frozen=True, kw_only=True)
class Glimpse:
    """A picture as a list shows it."""

    id: int
    identifier: str
    uuid: str
    beginning: str
    """The first characters of its metadata."""
    threshold: float | None
    """Least match ratio of an answer, 0-100; None: the default."""
    active: bool
    level: int
    """1-5, higher is easier to recognise."""
    width: int
    height: int
    updated_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which pictures of a channel are looked for; what is None, or empty, leaves nothing out."""

    text: str = ""
    """In the identifier or in the metadata; of A-Z the case does not matter."""
    level: int | None = None
    active: bool | None = None
    own_threshold: bool | None = None
    """Whether it has a threshold of its own."""


def browse(connection: sa.Connection, channel: Channel, wanted: Wanted, *, after: str, limit: int) -> list[Glimpse]:
    """By identifier, in the order of code points; after: only those that follow this identifier."""
    columns = picture_table.c
    shown = [getattr(columns, name) for name in Glimpse.__dataclass_fields__ if name != "beginning"]
    query = sa.select(*shown, sa.func.substr(columns.metadata, 1, METADATA_CHARACTERS).label("beginning"))
    query = query.where(columns.channel_id == channel.id, columns.identifier > after, *_conditions(wanted))
    rows = connection.execute(query.order_by(columns.identifier).limit(limit))
    return [Glimpse(**row._mapping) for row in rows]


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    columns, found = picture_table.c, []
    if wanted.text:
        places = (columns.identifier, columns.metadata)
        found.append(sa.or_(*(place.contains(wanted.text, autoescape=True) for place in places)))
    if wanted.level is not None:
        found.append(columns.level == wanted.level)
    if wanted.active is not None:
        found.append(columns.active.is_(wanted.active))
    if wanted.own_threshold is not None:
        found.append(columns.threshold.is_not(None) if wanted.own_threshold else columns.threshold.is_(None))
    return found
