"""Pictures in the catalogue. Functions of a connection; transactions are the Catalogue's.

A channel is given by its number, a picture by its channel and identifier or by its own number.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from engine.catalogue import channels, log
from engine.catalogue.entries import Channel, Picture, PictureChanges, StoredFeatures, as_columns, as_picture
from engine.catalogue.tables import channel_table, feature_table, picture_table, rendition_table
from engine.errors import IdentifierTaken, PictureNotFound, QuotaExceeded

_UUIDS_AT_ONCE = 500
"""UUIDs in one query: SQLite allows a statement 32,766 variables, builds before 3.32 only 999."""


def insert(connection: sa.Connection, row: dict[str, Any], features: StoredFeatures) -> int:
    """The number of a new picture, written with its features, its rendition and its entry in the log."""
    found = connection.execute(sa.insert(picture_table).values(**row)).inserted_primary_key
    assert found is not None
    number = int(found[0])
    stored = {"keypoints": features.keypoints, "vector": features.vector, "orb": features.orb}
    connection.execute(sa.insert(feature_table).values(picture_id=number, **stored))
    if features.jpeg is not None:
        connection.execute(sa.insert(rendition_table).values(picture_id=number, jpeg=features.jpeg))
    log.append(connection, "add", row["channel_id"], [number])
    return number


def check_room(connection: sa.Connection, channel: Channel, identifier: str) -> None:
    """Raises IdentifierTaken, QuotaExceeded."""
    mine = picture_table.c.channel_id == channel.id
    same = sa.select(picture_table.c.id).where(mine, picture_table.c.identifier == identifier)
    if connection.scalar(same) is not None:
        raise IdentifierTaken(channel.name, identifier)
    if channel.quota is not None and channels.count(connection, channel.id) >= channel.quota:
        raise QuotaExceeded(channel.name, channel.quota)


def find(connection: sa.Connection, channel: Channel, identifier: str) -> Picture:
    """Raises PictureNotFound."""
    mine = (picture_table.c.channel_id == channel.id, picture_table.c.identifier == identifier)
    row = connection.execute(sa.select(picture_table).where(*mine)).first()
    if row is None:
        raise PictureNotFound(channel.name, identifier)
    return as_picture(row, channel.name)


def owner_has(connection: sa.Connection, owner: int, identifier: str) -> bool:
    """Whether a picture in any of the owner's channels has that identifier."""
    query = (
        sa.select(picture_table.c.id)
        .join(channel_table, channel_table.c.id == picture_table.c.channel_id)
        .where(channel_table.c.owner == owner, picture_table.c.identifier == identifier)
    )
    return connection.execute(query.limit(1)).first() is not None


def current(connection: sa.Connection, channel: Channel, picture: str | Picture) -> Picture:
    """The channel's picture of that identifier; or the one that was looked up, as it is now: its identifier may be
    another's since, its UUID never is. Raises PictureNotFound."""
    if isinstance(picture, str):
        return find(connection, channel, picture)
    same = (picture_table.c.channel_id == channel.id, picture_table.c.uuid == picture.uuid)
    row = connection.execute(sa.select(picture_table).where(*same)).first()
    if row is None:
        raise PictureNotFound(channel.name, picture.identifier)
    return as_picture(row, channel.name)


def by_identifier(connection: sa.Connection, channel: Channel, *, offset: int, limit: int) -> list[Picture]:
    """In the order of code points."""
    query = sa.select(picture_table).where(picture_table.c.channel_id == channel.id)
    query = query.order_by(picture_table.c.identifier).offset(offset).limit(limit)
    return [as_picture(row, channel.name) for row in connection.execute(query)]


def newest(
    connection: sa.Connection, channel: Channel, *, offset: int, limit: int, after: Picture | None
) -> list[Picture]:
    """Latest change first; after: only those that follow this picture."""
    columns = picture_table.c
    query = sa.select(picture_table).where(columns.channel_id == channel.id)
    if after is not None:
        earlier = (columns.updated_at == after.updated_at) & (columns.id < after.id)
        query = query.where((columns.updated_at < after.updated_at) | earlier)
    query = query.order_by(columns.updated_at.desc(), columns.id.desc()).offset(offset).limit(limit)
    return [as_picture(row, channel.name) for row in connection.execute(query)]


def by_number(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Picture]:
    """Those of `ids` that exist."""
    query = (
        sa.select(picture_table, channel_table.c.name.label("channel_name"))
        .join(channel_table, channel_table.c.id == picture_table.c.channel_id)
        .where(picture_table.c.id.in_(list(ids)))
    )
    return {row.id: as_picture(row, row.channel_name) for row in connection.execute(query)}


def by_uuid(connection: sa.Connection, uuid: str) -> Picture | None:
    number = connection.scalar(sa.select(picture_table.c.id).where(picture_table.c.uuid == uuid))
    return None if number is None else by_number(connection, [number])[number]


def uuids(connection: sa.Connection, channel: Channel) -> list[str]:
    """In the order of addition, which another image or name does not change."""
    query = sa.select(picture_table.c.uuid).where(picture_table.c.channel_id == channel.id)
    return list(connection.scalars(query.order_by(picture_table.c.added_at, picture_table.c.uuid)))


def states(connection: sa.Connection, channel: Channel, *, since: float) -> dict[tuple[bool, bool], int]:
    """How many are (active, changed after `since`)."""
    changed = picture_table.c.updated_at > since
    query = sa.select(picture_table.c.active, changed.label("changed"), sa.func.count())
    query = query.where(picture_table.c.channel_id == channel.id).group_by(picture_table.c.active, changed)
    return {(bool(active), bool(after)): count for active, after, count in connection.execute(query)}


def numbers_after(connection: sa.Connection, number: int, *, limit: int) -> list[int]:
    """The next picture numbers of the whole gallery."""
    query = sa.select(picture_table.c.id).where(picture_table.c.id > number)
    return list(connection.scalars(query.order_by(picture_table.c.id).limit(limit)))


def update(connection: sa.Connection, channel: Channel, picture: str | Picture, changes: PictureChanges) -> Picture:
    """Raises PictureNotFound; SQLAlchemy's IntegrityError where the new identifier is taken."""
    number = current(connection, channel, picture).id
    change = sa.update(picture_table).where(picture_table.c.id == number)
    connection.execute(change.values(**as_columns(changes), updated_at=time.time()))
    log.append(connection, "update", channel.id, [number])
    return by_number(connection, [number])[number]


def replace(
    connection: sa.Connection,
    channel: Channel,
    picture: str | Picture,
    features: StoredFeatures,
    values: dict[str, Any],
) -> Picture:
    """Another image under the same identifier and UUID, and other `values` of the picture's columns. Indexes see a
    removal and an addition: the picture gets a new number. Raises PictureNotFound."""
    old = current(connection, channel, picture).id
    kept = connection.execute(sa.select(picture_table).where(picture_table.c.id == old)).one()._mapping
    row = {**kept, **values, "updated_at": time.time()}
    del row["id"]
    remove(connection, channel, [old])
    number = insert(connection, row, features)
    return by_number(connection, [number])[number]


def remove(connection: sa.Connection, channel: Channel, ids: Sequence[int]) -> None:
    """Removes the channel's pictures of these numbers."""
    connection.execute(sa.delete(picture_table).where(picture_table.c.id.in_(list(ids))))
    log.append(connection, "remove", channel.id, ids)


def remove_by_uuid(connection: sa.Connection, channel: Channel, uuids: Sequence[str]) -> list[str]:
    """Removes those of the channel's pictures that have these UUIDs; gives theirs, in the order asked, each once."""
    wanted, gone = list(dict.fromkeys(uuids)), set[str]()
    for start in range(0, len(wanted), _UUIDS_AT_ONCE):
        query = sa.select(picture_table.c.id, picture_table.c.uuid).where(
            picture_table.c.channel_id == channel.id,
            picture_table.c.uuid.in_(wanted[start : start + _UUIDS_AT_ONCE]),
        )
        found = list(connection.execute(query))
        remove(connection, channel, [row.id for row in found])
        gone.update(row.uuid for row in found)
    return [uuid for uuid in wanted if uuid in gone]


def replace_features(
    connection: sa.Connection, number: int, features: StoredFeatures, *, level: int, keypoints: int
) -> None:
    """New features of a picture that stays what it is; its rendition is kept."""
    stored = {"keypoints": features.keypoints, "vector": features.vector, "orb": features.orb}
    connection.execute(sa.update(feature_table).where(feature_table.c.picture_id == number).values(**stored))
    change = sa.update(picture_table).where(picture_table.c.id == number)
    connection.execute(change.values(level=level, keypoints=keypoints))


def renditions(connection: sa.Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """The kept JPEGs, by picture number."""
    query = sa.select(rendition_table).where(rendition_table.c.picture_id.in_(list(ids)))
    return {row.picture_id: row.jpeg for row in connection.execute(query)}


def orb_bits(connection: sa.Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """ORB's bits of those pictures that have them stored."""
    query = sa.select(feature_table.c.picture_id, feature_table.c.orb)
    query = query.where(feature_table.c.picture_id.in_(list(ids)), feature_table.c.orb.is_not(None))
    return {row.picture_id: row.orb for row in connection.execute(query)}
