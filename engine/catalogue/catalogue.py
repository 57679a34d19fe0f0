"""The catalogue: the truth about channels and pictures. Every index is derived from it.

Each change of a picture is one transaction over its row, its features, its rendition and the log; when a
function returns, the change is durable. Picture numbers (`Picture.id`) and log positions (`seq`) grow and
are never used again.
"""

from __future__ import annotations

import json
import time
import uuid as uuids
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.catalogue.entries import Change, Channel, Picture, StoredFeatures, as_picture
from engine.catalogue.sqlite import open_database
from engine.catalogue.tables import (
    change_table,
    channel_table,
    feature_table,
    meta_table,
    picture_table,
    rendition_table,
)
from engine.catalogue.transactions import reading, writing
from engine.catalogue.upgrade import upgrade_schema
from engine.errors import (
    ChannelExists,
    ChannelNotFound,
    IdentifierTaken,
    PictureNotFound,
    QuotaExceeded,
)

__all__ = ["Catalogue", "Change", "Channel", "Picture", "StoredFeatures"]

MIGRATIONS = Path(__file__).with_name("migrations")
_NAMES_AT_ONCE = 500
"""Names in one query: SQLite allows a statement 32,766 variables, builds before 3.32 only 999."""


class Catalogue:
    """All reads and writes of one data folder's database. Safe for use by many threads and processes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.database = open_database(folder)
        upgrade_schema(self.database, MIGRATIONS, version_table="engine_version")

    def close(self) -> None:
        self.database.dispose()

    # Facts of the whole gallery

    def read_meta(self, key: str) -> str | None:
        with reading(self.database) as connection:
            return connection.scalar(sa.select(meta_table.c.value).where(meta_table.c.key == key))

    def write_meta(self, key: str, value: str) -> None:
        with writing(self.database) as connection:
            connection.execute(sa.delete(meta_table).where(meta_table.c.key == key))
            connection.execute(sa.insert(meta_table).values(key=key, value=value))

    # Channels

    def add_channel(self, name: str, *, owner: int | None = None, quota: int | None = None) -> Channel:
        """Raises ChannelExists."""
        row = {"name": name, "owner": owner, "quota": quota, "created_at": time.time()}
        try:
            with writing(self.database) as connection:
                number = connection.execute(sa.insert(channel_table).values(**row)).inserted_primary_key
        except sa.exc.IntegrityError as error:
            raise ChannelExists(name) from error
        assert number is not None
        return Channel(id=number[0], **row)  # type: ignore[arg-type]

    def channel(self, name: str) -> Channel:
        """Raises ChannelNotFound."""
        with reading(self.database) as connection:
            row = connection.execute(sa.select(channel_table).where(channel_table.c.name == name)).first()
        if row is None:
            raise ChannelNotFound(name)
        return Channel(**row._mapping)

    def channel_numbers(self, names: Sequence[str]) -> list[int]:
        """The channels' numbers, in the order of the names, each once. Raises ChannelNotFound."""
        wanted = list(dict.fromkeys(names))
        found: dict[str, int] = {}
        with reading(self.database) as connection:
            for start in range(0, len(wanted), _NAMES_AT_ONCE):
                some = channel_table.c.name.in_(wanted[start : start + _NAMES_AT_ONCE])
                query = sa.select(channel_table.c.name, channel_table.c.id).where(some)
                found.update((row.name, row.id) for row in connection.execute(query))
        if missing := [name for name in wanted if name not in found]:
            raise ChannelNotFound(missing[0])
        return [found[name] for name in wanted]

    def channels(self, *, owner: int | None = None) -> list[Channel]:
        """All channels by name, or those of one owner."""
        query = sa.select(channel_table).order_by(channel_table.c.name)
        if owner is not None:
            query = query.where(channel_table.c.owner == owner)
        with reading(self.database) as connection:
            return [Channel(**row._mapping) for row in connection.execute(query)]

    def update_channel(self, name: str, *, owner: int | None, quota: int | None) -> Channel:
        """Sets owner and quota. Raises ChannelNotFound."""
        change = sa.update(channel_table).where(channel_table.c.name == name)
        with writing(self.database) as connection:
            connection.execute(change.values(owner=owner, quota=quota))
        return self.channel(name)

    def remove_channel(self, name: str) -> int:
        """Removes the channel and its pictures; gives their number. Raises ChannelNotFound."""
        number = self.channel(name).id
        with writing(self.database) as connection:
            chosen = picture_table.c.channel_id == number
            ids = list(connection.scalars(sa.select(picture_table.c.id).where(chosen)))
            if ids:
                log = [{"picture_id": i, "channel_id": number, "kind": "remove"} for i in ids]
                connection.execute(sa.insert(change_table), log)
                connection.execute(sa.delete(picture_table).where(chosen))
            connection.execute(sa.delete(channel_table).where(channel_table.c.id == number))
        return len(ids)

    # Pictures

    def add_picture(
        self,
        channel: str,
        identifier: str,
        features: StoredFeatures,
        *,
        level: int,
        size: tuple[int, int],
        keypoints: int,
        metadata: str = "",
        threshold: float | None = None,
        active: bool = True,
        facts: dict[str, Any] | None = None,
        uuid: str | None = None,
    ) -> Picture:
        """One durable transaction. uuid: of the new picture, where the caller has drawn one.

        Raises ChannelNotFound, IdentifierTaken, QuotaExceeded, StorageFull."""
        now = time.time()
        row = {
            "identifier": identifier,
            "uuid": uuid or str(uuids.uuid4()),
            "metadata": metadata,
            "threshold": threshold,
            "active": active,
            "level": level,
            "width": size[0],
            "height": size[1],
            "keypoints": keypoints,
            "added_at": now,
            "updated_at": now,
        }
        with writing(self.database) as connection:
            owner = self._room(connection, channel, identifier)
            stored = {**row, "channel_id": owner, "facts": json.dumps(facts or {})}
            number = self._insert(connection, stored, features)
        return Picture(id=number, channel=channel, facts=facts or {}, **row)  # type: ignore[arg-type]

    def _insert(self, connection: sa.Connection, row: dict[str, Any], features: StoredFeatures) -> int:
        """The number of a new picture, written with its features, its rendition and its entry in the log."""
        found = connection.execute(sa.insert(picture_table).values(**row)).inserted_primary_key
        assert found is not None
        number = int(found[0])
        connection.execute(
            sa.insert(feature_table).values(
                picture_id=number, keypoints=features.keypoints, vector=features.vector, orb=features.orb
            )
        )
        if features.jpeg is not None:
            connection.execute(sa.insert(rendition_table).values(picture_id=number, jpeg=features.jpeg))
        log = {"picture_id": number, "channel_id": row["channel_id"], "kind": "add"}
        connection.execute(sa.insert(change_table).values(**log))
        return number

    def check_room(self, channel: str, identifier: str) -> None:
        """Raises what `add_picture` would for the channel, the identifier and the quota."""
        with reading(self.database) as connection:
            self._room(connection, channel, identifier)

    def _room(self, connection: sa.Connection, channel: str, identifier: str) -> int:
        found = connection.execute(sa.select(channel_table).where(channel_table.c.name == channel)).first()
        if found is None:
            raise ChannelNotFound(channel)
        mine = picture_table.c.channel_id == found.id
        same = sa.select(picture_table.c.id).where(mine, picture_table.c.identifier == identifier)
        if connection.scalar(same) is not None:
            raise IdentifierTaken(channel, identifier)
        if found.quota is not None:
            count = connection.scalar(sa.select(sa.func.count()).select_from(picture_table).where(mine))
            if (count or 0) >= found.quota:
                raise QuotaExceeded(channel, found.quota)
        return int(found.id)

    def remove_picture(self, channel: str, identifier: str) -> bool:
        """Whether there was one to remove. Raises ChannelNotFound."""
        with writing(self.database) as connection:
            row = self._row(connection, channel, identifier)
            if row is None:
                return False
            connection.execute(sa.delete(picture_table).where(picture_table.c.id == row.id))
            log = {"picture_id": row.id, "channel_id": row.channel_id, "kind": "remove"}
            connection.execute(sa.insert(change_table).values(**log))
        return True

    def update_picture(self, channel: str, identifier: str, /, **changes: Any) -> Picture:
        """Changes any of metadata, threshold, active, facts, identifier; others stay.

        Raises ChannelNotFound, PictureNotFound, IdentifierTaken.
        """
        unknown = set(changes) - {"metadata", "threshold", "active", "facts", "identifier"}
        assert not unknown, f"unknown fields {unknown}"
        values = dict(changes)
        if "facts" in values:
            values["facts"] = json.dumps(values["facts"])
        try:
            with writing(self.database) as connection:
                row = self._row(connection, channel, identifier)
                if row is None:
                    raise PictureNotFound(channel, identifier)
                change = sa.update(picture_table).where(picture_table.c.id == row.id)
                connection.execute(change.values(**values, updated_at=time.time()))
                log = {"picture_id": row.id, "channel_id": row.channel_id, "kind": "update"}
                connection.execute(sa.insert(change_table).values(**log))
        except sa.exc.IntegrityError as error:
            raise IdentifierTaken(channel, str(changes.get("identifier"))) from error
        return self.picture(channel, str(changes.get("identifier", identifier)))

    def replace_picture(
        self,
        channel: str,
        identifier: str,
        features: StoredFeatures,
        *,
        level: int,
        size: tuple[int, int],
        keypoints: int,
        **changes: Any,
    ) -> Picture:
        """Another image, and the changes that `update_picture` takes, under the same identifier and UUID. Indexes
        see a removal and an addition: the picture gets a new number. Raises ChannelNotFound, PictureNotFound."""
        unknown = set(changes) - {"metadata", "threshold", "active", "facts"}
        assert not unknown, f"unknown fields {unknown}"
        with writing(self.database) as connection:
            old = self._row(connection, channel, identifier)
            if old is None:
                raise PictureNotFound(channel, identifier)
            row = {**old._mapping, **changes, "level": level, "width": size[0], "height": size[1]}
            row |= {"keypoints": keypoints, "updated_at": time.time()}
            if "facts" in changes:
                row["facts"] = json.dumps(changes["facts"])
            del row["id"]
            connection.execute(sa.delete(picture_table).where(picture_table.c.id == old.id))
            log = {"picture_id": old.id, "channel_id": old.channel_id, "kind": "remove"}
            connection.execute(sa.insert(change_table).values(**log))
            self._insert(connection, row, features)
        return self.picture(channel, identifier)

    def replace_features(self, picture_id: int, features: StoredFeatures, *, level: int, keypoints: int) -> None:
        """New features of a picture that stays what it is (`reindex`); its rendition is kept."""
        with writing(self.database) as connection:
            connection.execute(
                sa.update(feature_table)
                .where(feature_table.c.picture_id == picture_id)
                .values(keypoints=features.keypoints, vector=features.vector, orb=features.orb)
            )
            change = sa.update(picture_table).where(picture_table.c.id == picture_id)
            connection.execute(change.values(level=level, keypoints=keypoints))

    def _row(self, connection: sa.Connection, channel: str, identifier: str) -> Any:
        found = connection.scalar(sa.select(channel_table.c.id).where(channel_table.c.name == channel))
        if found is None:
            raise ChannelNotFound(channel)
        query = sa.select(picture_table).where(
            picture_table.c.channel_id == found, picture_table.c.identifier == identifier
        )
        return connection.execute(query).first()

    def picture(self, channel: str, identifier: str) -> Picture:
        """Raises ChannelNotFound, PictureNotFound."""
        with reading(self.database) as connection:
            row = self._row(connection, channel, identifier)
        if row is None:
            raise PictureNotFound(channel, identifier)
        return as_picture(row, channel)

    def pictures(self, channel: str, *, offset: int = 0, limit: int = 100) -> list[Picture]:
        """By identifier, in the order of code points. Raises ChannelNotFound."""
        number = self.channel(channel).id
        query = sa.select(picture_table).where(picture_table.c.channel_id == number)
        query = query.order_by(picture_table.c.identifier).offset(offset).limit(limit)
        with reading(self.database) as connection:
            return [as_picture(row, channel) for row in connection.execute(query)]

    def newest_pictures(
        self, channel: str, *, offset: int = 0, limit: int = 100, after: Picture | None = None
    ) -> list[Picture]:
        """Latest change first; after: only those that follow this picture. Raises ChannelNotFound."""
        number = self.channel(channel).id
        columns = picture_table.c
        query = sa.select(picture_table).where(columns.channel_id == number)
        if after is not None:
            earlier = (columns.updated_at == after.updated_at) & (columns.id < after.id)
            query = query.where((columns.updated_at < after.updated_at) | earlier)
        query = query.order_by(columns.updated_at.desc(), columns.id.desc()).offset(offset).limit(limit)
        with reading(self.database) as connection:
            return [as_picture(row, channel) for row in connection.execute(query)]

    def pictures_by_id(self, ids: Sequence[int]) -> dict[int, Picture]:
        """Those of `ids` that exist, by their numbers."""
        query = (
            sa.select(picture_table, channel_table.c.name.label("channel_name"))
            .join(channel_table, channel_table.c.id == picture_table.c.channel_id)
            .where(picture_table.c.id.in_(list(ids)))
        )
        with reading(self.database) as connection:
            return {row.id: as_picture(row, row.channel_name) for row in connection.execute(query)}

    def picture_by_uuid(self, uuid: str) -> Picture | None:
        with reading(self.database) as connection:
            found = connection.scalar(sa.select(picture_table.c.id).where(picture_table.c.uuid == uuid))
        return None if found is None else self.pictures_by_id([found]).get(found)

    def count(self, channel: str) -> int:
        """Pictures in the channel. Raises ChannelNotFound."""
        number = self.channel(channel).id
        query = sa.select(sa.func.count()).select_from(picture_table).where(picture_table.c.channel_id == number)
        with reading(self.database) as connection:
            return connection.scalar(query) or 0

    def counts(self) -> dict[str, int]:
        """Pictures by channel name, empty channels too."""
        query = (
            sa.select(channel_table.c.name, sa.func.count(picture_table.c.id))
            .select_from(channel_table.outerjoin(picture_table, picture_table.c.channel_id == channel_table.c.id))
            .group_by(channel_table.c.name)
        )
        with reading(self.database) as connection:
            return dict(tuple(row) for row in connection.execute(query))

    def rendition(self, picture_id: int) -> bytes | None:
        """The kept JPEG of a picture, or None."""
        query = sa.select(rendition_table.c.jpeg).where(rendition_table.c.picture_id == picture_id)
        with reading(self.database) as connection:
            return connection.scalar(query)

    def renditions(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The kept JPEGs of several pictures, by picture number."""
        query = sa.select(rendition_table).where(rendition_table.c.picture_id.in_(list(ids)))
        with reading(self.database) as connection:
            return {row.picture_id: row.jpeg for row in connection.execute(query)}

    def orb_bits(self, ids: Sequence[int]) -> dict[int, bytes]:
        """ORB's bits of those pictures that have them stored."""
        query = sa.select(feature_table.c.picture_id, feature_table.c.orb)
        query = query.where(feature_table.c.picture_id.in_(list(ids)), feature_table.c.orb.is_not(None))
        with reading(self.database) as connection:
            return {row.picture_id: row.orb for row in connection.execute(query)}

    # The log, and what indexes are built from

    def last_seq(self) -> int:
        with reading(self.database) as connection:
            return connection.scalar(sa.select(sa.func.max(change_table.c.seq))) or 0

    def changes(self, *, after: int, limit: int = 10_000) -> list[Change]:
        query = sa.select(change_table).where(change_table.c.seq > after).order_by(change_table.c.seq).limit(limit)
        with reading(self.database) as connection:
            return [Change(*row) for row in connection.execute(query)]

    def features(self, ids: Sequence[int]) -> list[tuple[int, int, bool, bytes, bytes]]:
        """(picture number, channel number, active, keypoints, vector) of those of `ids` that exist."""
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
        with reading(self.database) as connection:
            return [tuple(row) for row in connection.execute(query)]

    def all_pictures(self, *, batch: int = 500) -> Iterator[Picture]:
        """Every picture, by number; the catalogue may change meanwhile."""
        last = 0
        while True:
            query = sa.select(picture_table.c.id).where(picture_table.c.id > last)
            with reading(self.database) as connection:
                ids = list(connection.scalars(query.order_by(picture_table.c.id).limit(batch)))
            if not ids:
                return
            yield from (p for _, p in sorted(self.pictures_by_id(ids).items()))
            last = ids[-1]
