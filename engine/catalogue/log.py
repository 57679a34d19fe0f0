"""The log of changes, and what indexes are built from. Functions of a connection; transactions are the Catalogue's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from engine.catalogue.entries import Change, Channel, Followed
from engine.catalogue.tables import change_table, feature_table, picture_table

Features = tuple[int, int, bool, bytes, bytes]
"""(picture number, channel number, active, keypoints, vector)."""

FOLLOWED_AT_ONCE = 100_000
"""Entries of the log that are looked through for some channels' own: 9 ms on a Xeon of 2.5 GHz."""
FEATURES_AT_ONCE = 500
"""Pictures for which who goes through many asks `features` in one query: about 4 MB."""


def append(
    connection: sa.Connection, kind: Literal["add", "remove", "update"], channel_id: int, pictures: Sequence[int]
) -> None:
    """An entry for each of the pictures, given by their numbers."""
    if pictures:
        entries = [{"picture_id": number, "channel_id": channel_id, "kind": kind} for number in pictures]
        connection.execute(sa.insert(change_table), entries)


def last_seq(connection: sa.Connection) -> int:
    # As text: this is asked at every search and every change, and takes a third of the time.
    return connection.exec_driver_sql("SELECT max(seq) FROM change").scalar() or 0


def changes(connection: sa.Connection, *, after: int, limit: int) -> list[Change]:
    query = sa.select(change_table).where(change_table.c.seq > after).order_by(change_table.c.seq).limit(limit)
    return [Change(*row) for row in connection.execute(query)]


def follow(
    connection: sa.Connection, channels: Sequence[Channel], *, after: int, limit: int
) -> tuple[list[Followed], int]:
    """The channels' entries behind `after`, at most `limit`, and the number up to which that is all of them.

    The log has no index by channel, which every addition would pay for: FOLLOWED_AT_ONCE entries are looked through.
    """
    until = min(after + FOLLOWED_AT_ONCE, last_seq(connection))
    known = {channel.id: channel for channel in channels}
    query = (
        sa.select(change_table, picture_table.c.identifier, picture_table.c.uuid)
        .join_from(change_table, picture_table, picture_table.c.id == change_table.c.picture_id, isouter=True)
        .where(change_table.c.seq > after, change_table.c.seq <= until, change_table.c.channel_id.in_(list(known)))
        .order_by(change_table.c.seq)
        .limit(limit)
    )
    found = [
        Followed(
            seq=row.seq,
            kind=row.kind,
            channel=known[row.channel_id],
            picture_id=row.picture_id,
            identifier=row.identifier,
            uuid=row.uuid,
        )
        for row in connection.execute(query)
    ]
    return found, found[-1].seq if len(found) == limit else max(until, after)


def standing(connection: sa.Connection) -> list[tuple[int, int, int]]:
    """Number, channel number and whether it is active (1 or 0) of every picture, by number."""
    columns = (picture_table.c.id, picture_table.c.channel_id, sa.cast(picture_table.c.active, sa.Integer))
    rows = connection.execute(sa.select(*columns).order_by(picture_table.c.id))
    return [(number, channel, active) for number, channel, active in rows]


def features(connection: sa.Connection, ids: Sequence[int]) -> list[Features]:
    """Those of `ids` that exist, by number."""
    query = (
        sa.select(
            picture_table.c.id,
            picture_table.c.channel_id,
            picture_table.c.active,
            feature_table.c.keypoints,
            feature_table.c.vector,
        )
        .join(feature_table, feature_table.c.picture_id == picture_table.c.id)
        .where(picture_table.c.id.in_(list(ids)))
        .order_by(picture_table.c.id)
    )
    return [tuple(row) for row in connection.execute(query)]
