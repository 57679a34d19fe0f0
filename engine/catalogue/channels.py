"""Channels in the catalogue. Functions of a connection; transactions are the Catalogue's."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa

from engine.catalogue import log
from engine.catalogue.entries import Channel
from engine.catalogue.tables import channel_table, picture_table
from engine.errors import ChannelNotFound

_NAMES_AT_ONCE = 500
"""Names in one query: SQLite allows a statement 32,766 variables, builds before 3.32 only 999."""


def insert(connection: sa.Connection, name: str, *, owner: int | None, quota: int | None) -> Channel:
    row = {"name": name, "owner": owner, "quota": quota, "created_at": time.time()}
    number = connection.execute(sa.insert(channel_table).values(**row)).inserted_primary_key
    assert number is not None
    return Channel(id=number[0], **row)  # type: ignore[arg-type]


def find(connection: sa.Connection, name: str) -> Channel:
    """Raises ChannelNotFound."""
    row = connection.execute(sa.select(channel_table).where(channel_table.c.name == name)).first()
    if row is None:
        raise ChannelNotFound(name)
    return Channel(**row._mapping)


def current(connection: sa.Connection, channel: str | Channel) -> Channel:
    """The channel of that name; or the one that was looked up, if it is still there and still its owner's: who was let
    into it was let into no other. Raises ChannelNotFound."""
    if isinstance(channel, str):
        return find(connection, channel)
    now = find(connection, channel.name)
    if (now.id, now.owner) != (channel.id, channel.owner):
        raise ChannelNotFound(channel.name)
    return now


def numbers(connection: sa.Connection, names: Sequence[str]) -> list[int]:
    """In the order of the names, each once. Raises ChannelNotFound."""
    wanted = list(dict.fromkeys(names))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _NAMES_AT_ONCE):
        some = channel_table.c.name.in_(wanted[start : start + _NAMES_AT_ONCE])
        query = sa.select(channel_table.c.name, channel_table.c.id).where(some)
        found.update((row.name, row.id) for row in connection.execute(query))
    if missing := [name for name in wanted if name not in found]:
        raise ChannelNotFound(missing[0])
    return [found[name] for name in wanted]


def by_name(connection: sa.Connection, *, owner: int | None) -> list[Channel]:
    """All of them, or those of one owner."""
    query = sa.select(channel_table).order_by(channel_table.c.name)
    if owner is not None:
        query = query.where(channel_table.c.owner == owner)
    return [Channel(**row._mapping) for row in connection.execute(query)]


def update(connection: sa.Connection, channel: str | Channel, *, owner: int | None, quota: int | None) -> Channel:
    """Raises ChannelNotFound."""
    found = current(connection, channel)
    change = sa.update(channel_table).where(channel_table.c.id == found.id)
    connection.execute(change.values(owner=owner, quota=quota))
    return find(connection, found.name)


def remove(connection: sa.Connection, channel: str | Channel) -> int:
    """Removes the channel and its pictures; gives their number. Raises ChannelNotFound."""
    number = current(connection, channel).id
    chosen = picture_table.c.channel_id == number
    ids = list(connection.scalars(sa.select(picture_table.c.id).where(chosen)))
    log.append(connection, "remove", number, ids)
    connection.execute(sa.delete(picture_table).where(chosen))
    connection.execute(sa.delete(channel_table).where(channel_table.c.id == number))
    return len(ids)


def counts(connection: sa.Connection) -> dict[str, int]:
    """Pictures by channel name, empty channels too."""
    query = (
        sa.select(channel_table.c.name, sa.func.count(picture_table.c.id))
        .select_from(channel_table.outerjoin(picture_table, picture_table.c.channel_id == channel_table.c.id))
        .group_by(channel_table.c.name)
    )
    return dict(tuple(row) for row in connection.execute(query))


def count(connection: sa.Connection, number: int) -> int:
    """Pictures in the channel."""
    query = sa.select(sa.func.count()).select_from(picture_table).where(picture_table.c.channel_id == number)
    return connection.scalar(query) or 0
