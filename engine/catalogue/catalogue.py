"""The catalogue: the truth about channels and pictures. Every index is derived from it.

Each change of a picture is one transaction over its row, its features, its rendition and the log; when a
function returns, the change is durable. Picture numbers (`Picture.id`) and log positions (`seq`) grow and
are never used again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
import uuid as uuids
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

import sqlalchemy as sa

from engine.catalogue import browse, channels, log, pictures, reserve
from engine.catalogue.entries import Change, Channel, Followed, Picture, PictureChanges, StoredFeatures, as_columns
from engine.catalogue.note import SequenceNote
from engine.catalogue.sqlite import DATABASE_NAME, check_not_lost, is_read_only, open_database
from engine.catalogue.tables import meta_table
from engine.catalogue.transactions import changed_meanwhile, reading, writing
from engine.catalogue.unfinished import check_restored
from engine.catalogue.upgrade import upgrade_schema
from engine.catalogue.whole import check_whole
from engine.errors import ChannelExists, IdentifierTaken, PictureNotFound, StorageFailed, StorageFull

T = TypeVar("T")
NOTE_NAME = "catalogue.seq"
_log = logging.getLogger(__name__)
_META = sa.select(meta_table.c.value).where(meta_table.c.key == sa.bindparam("key"))
_LOOKED_AFTER = 256
"""Additions after which the reserve is looked after."""
MIGRATIONS = Path(__file__).with_name("migrations")


class Catalogue:
    """All reads and writes of one data folder's database. Safe for use by many threads and processes.

    Each method is one use case in one transaction; what it does in it stands in the modules beside this one.
    A channel is given by its name, or as the Channel that was looked up: then it must still be the same one, and belong
    to the same owner, or ChannelNotFound is raised. A picture likewise by its identifier, or as the Picture that was
    looked up: then it is the one of that UUID, or PictureNotFound. Who has checked a name hands over what he checked.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Opens or makes it. read_only: every change is refused, as where folder or files may only be read.

        Raises the StorageErrors: DamagedData where a gallery's other files lie without its catalogue, or
        this is cut short."""
        folder.mkdir(parents=True, exist_ok=True)
        check_restored(folder)
        check_not_lost(folder)
        check_whole(folder / DATABASE_NAME)
        self.folder = folder
        self.fingerprint: str | None = None
        """Of the model whose features are added through this opening: where the gallery has another by then, they are
        refused. None: it is not looked at."""
        self.database = open_database(folder, read_only=read_only)
        try:
            self._upgrade()
        except StorageFailed as error:
            # Even to read, SQLite makes a file beside its own, and says no more than that it cannot.
            if not reserve.disk_is_full(folder):
                raise
            if not reserve.release(folder):
                raise StorageFull(str(folder)) from error
            self._upgrade()
        if not self.read_only:
            reserve.keep(folder)
        self._note = SequenceNote(folder / NOTE_NAME)
        self._tell_missing()

    def _upgrade(self) -> None:
        upgrade_schema(
            self.database,
            MIGRATIONS,
            version_table="engine_version",
            before_the_first=lambda: check_not_lost(self.folder, without_tables=True),
        )

    @property
    def read_only(self) -> bool:
        """Whether every change is refused with ReadOnlyData."""
        return is_read_only(self.database)

    def close(self) -> None:
        self.database.dispose()

    # Facts of the whole gallery

    def read_meta(self, key: str) -> str | None:
        with reading(self.database) as connection:
            return _read_meta(connection, key)

    def write_meta(self, key: str, value: str) -> None:
        with writing(self.database) as connection:
            connection.execute(sa.delete(meta_table).where(meta_table.c.key == key))
            connection.execute(sa.insert(meta_table).values(key=key, value=value))

    # Channels

    def add_channel(self, name: str, *, owner: int | None = None, quota: int | None = None) -> Channel:
        """Raises ChannelExists."""
        try:
            with writing(self.database) as connection:
                return channels.insert(connection, name, owner=owner, quota=quota)
        except sa.exc.IntegrityError as error:
            raise ChannelExists(name) from error

    def channel(self, name: str) -> Channel:
        """Raises ChannelNotFound."""
        with reading(self.database) as connection:
            return channels.find(connection, name)

    def channel_numbers(self, names: Sequence[str]) -> list[int]:
        """In the order of the names, each once. Raises ChannelNotFound."""
        with reading(self.database) as connection:
            return channels.numbers(connection, names)

    def channels(self, *, owner: int | None = None) -> list[Channel]:
        """All channels by name, or those of one owner."""
        with reading(self.database) as connection:
            return channels.by_name(connection, owner=owner)

    def update_channel(self, channel: str | Channel, *, owner: int | None, quota: int | None) -> Channel:
        """Sets owner and quota. Raises ChannelNotFound."""
        with writing(self.database) as connection:
            return channels.update(connection, channel, owner=owner, quota=quota)

    def remove_channel(self, channel: str | Channel) -> int:
        """Removes the channel and its pictures; gives their number. Raises ChannelNotFound."""
        return self._freeing(lambda connection: channels.remove(connection, channel))

    def count(self, channel: str | Channel) -> int:
        """Pictures in the channel. Raises ChannelNotFound."""
        with reading(self.database) as connection:
            return channels.count(connection, channels.current(connection, channel).id)

    def counts(self) -> dict[str, int]:
        """Pictures by channel name, empty channels too."""
        with reading(self.database) as connection:
            return channels.counts(connection)

    # Pictures

    def add_picture(
        self,
        channel: str | Channel,
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

        Raises ChannelNotFound, IdentifierTaken, QuotaExceeded, StorageFull, and StorageFailed where the pictures were
        described again by another model since `fingerprint` was set."""
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
        with self._changing() as connection:
            self._check_fingerprint(connection)
            owner = channels.current(connection, channel)
            pictures.check_room(connection, owner, identifier)
            stored = {**row, "channel_id": owner.id, "facts": json.dumps(facts or {})}
            number = pictures.insert(connection, stored, features)
        if number % _LOOKED_AFTER == 0:
            reserve.keep(self.folder)
        return Picture(id=number, channel=owner.name, facts=facts or {}, **row)  # type: ignore[arg-type]

    def check_room(self, channel: str | Channel, identifier: str) -> None:
        """Raises what `add_picture` would for the channel, the identifier and the quota."""
        with reading(self.database) as connection:
            pictures.check_room(connection, channels.current(connection, channel), identifier)

    def remove_picture(self, channel: str | Channel, picture: str | Picture) -> bool:
        """Whether there was one to remove. Raises ChannelNotFound."""

        def work(connection: sa.Connection) -> bool:
            owner = channels.current(connection, channel)
            try:
                pictures.remove(connection, owner, [pictures.current(connection, owner, picture).id])
            except PictureNotFound:
                return False
            return True

        return self._freeing(work)

    def remove_pictures(self, channel: Channel, uuids: Sequence[str]) -> list[str]:
        """Removes those of the channel's pictures that have these UUIDs, in one transaction; gives theirs, in the
        order asked. channel: as it was looked up; where it is gone since, or belongs to another owner, nothing is
        removed. Raises ChannelNotFound."""
        return self._freeing(
            lambda connection: pictures.remove_by_uuid(connection, channels.current(connection, channel), uuids)
        )

    def _freeing(self, work: Callable[[sa.Connection], T]) -> T:
        """A change after which there is more room than before: where there is none to begin with, the reserve is given
        free for it. Raises what `writing` does."""
        try:
            with self._changing() as connection:
                return work(connection)
        except StorageFull:
            if not reserve.release(self.folder):
                raise
        with self._changing() as connection:
            return work(connection)

    def update_picture(
        self, channel: str | Channel, picture: str | Picture, /, **changes: Unpack[PictureChanges]
    ) -> Picture:
        """Changes any of identifier, metadata, threshold, active, facts; others stay.

        Raises ChannelNotFound, PictureNotFound, IdentifierTaken; TypeError for another field.
        """
        try:
            with self._changing() as connection:
                return pictures.update(connection, channels.current(connection, channel), picture, changes)
        except sa.exc.IntegrityError as error:
            raise IdentifierTaken(_name(channel), str(changes.get("identifier"))) from error

    def replace_picture(
        self,
        channel: str | Channel,
        picture: str | Picture,
        features: StoredFeatures,
        /,
        *,
        level: int,
        size: tuple[int, int],
        keypoints: int,
        **changes: Unpack[PictureChanges],
    ) -> Picture:
        """Another image, and the changes that `update_picture` takes, under the same UUID. Indexes see a removal and
        an addition: the picture gets a new number. Raises what `update_picture` does, and StorageFull."""
        values = {**as_columns(changes), "level": level, "width": size[0], "height": size[1], "keypoints": keypoints}
        try:
            with self._changing() as connection:
                self._check_fingerprint(connection)
                owner = channels.current(connection, channel)
                return pictures.replace(connection, owner, picture, features, values)
        except sa.exc.IntegrityError as error:
            raise IdentifierTaken(_name(channel), str(changes.get("identifier"))) from error

    def replace_features(self, picture_id: int, features: StoredFeatures, *, level: int, keypoints: int) -> None:
        """New features of a picture that stays what it is (`reindex`); its rendition is kept."""
        with writing(self.database) as connection:
            pictures.replace_features(connection, picture_id, features, level=level, keypoints=keypoints)

    def picture(self, channel: str | Channel, picture: str | Picture) -> Picture:
        """As it is now. Raises ChannelNotFound, PictureNotFound."""
        with reading(self.database) as connection:
            return pictures.current(connection, channels.current(connection, channel), picture)

    def owner_has(self, owner: int, identifier: str) -> bool:
        """Whether a picture in any of the owner's channels has that identifier."""
        with reading(self.database) as connection:
            return pictures.owner_has(connection, owner, identifier)

    def pictures(self, channel: str | Channel, *, offset: int = 0, limit: int = 100) -> list[Picture]:
        """By identifier, in the order of code points. Raises ChannelNotFound."""
        with reading(self.database) as connection:
            owner = channels.current(connection, channel)
            return pictures.by_identifier(connection, owner, offset=offset, limit=limit)

    def newest_pictures(
        self, channel: str | Channel, *, offset: int = 0, limit: int = 100, after: Picture | None = None
    ) -> list[Picture]:
        """Latest change first; after: only those that follow this picture. Raises ChannelNotFound."""
        with reading(self.database) as connection:
            owner = channels.current(connection, channel)
            return pictures.newest(connection, owner, offset=offset, limit=limit, after=after)

    def browse(
        self, channel: str | Channel, wanted: browse.Wanted, *, after: str = "", limit: int = 100
    ) -> list[browse.Glimpse]:
        """Those of the wanted pictures that follow the identifier `after`, by identifier. Raises ChannelNotFound."""
        with reading(self.database) as connection:
            owner = channels.current(connection, channel)
            return browse.browse(connection, owner, wanted, after=after, limit=limit)

    def pictures_by_id(self, ids: Sequence[int]) -> dict[int, Picture]:
        """Those of `ids` that exist, by their numbers."""
        with reading(self.database) as connection:
            return pictures.by_number(connection, ids)

    def picture_by_uuid(self, uuid: str) -> Picture | None:
        with reading(self.database) as connection:
            return pictures.by_uuid(connection, uuid)

    def uuids(self, channel: Channel) -> list[str]:
        """Of all the channel's pictures, in the order of addition. Raises ChannelNotFound."""
        with reading(self.database) as connection:
            return pictures.uuids(connection, channels.current(connection, channel))

    def states(self, channel: Channel, *, since: float) -> dict[tuple[bool, bool], int]:
        """How many of the channel's pictures are (active, changed after `since`), in seconds since 1970; what none is,
        is left out. Raises ChannelNotFound."""
        with reading(self.database) as connection:
            return pictures.states(connection, channels.current(connection, channel), since=since)

    def all_pictures(self, *, batch: int = 500) -> Iterator[Picture]:
        """Every picture, by number; the catalogue may change meanwhile."""
        last = 0
        while True:
            with reading(self.database) as connection:
                ids = pictures.numbers_after(connection, last, limit=batch)
                found = pictures.by_number(connection, ids)
            if not ids:
                return
            yield from (found[number] for number in ids)
            last = ids[-1]

    def rendition(self, picture_id: int) -> bytes | None:
        """The kept JPEG of a picture, or None."""
        return self.renditions([picture_id]).get(picture_id)

    def renditions(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The kept JPEGs of several pictures, by picture number."""
        with reading(self.database) as connection:
            return pictures.renditions(connection, ids)

    def orb_bits(self, ids: Sequence[int]) -> dict[int, bytes]:
        """ORB's bits of those pictures that have them stored."""
        with reading(self.database) as connection:
            return pictures.orb_bits(connection, ids)

    def _check_fingerprint(self, connection: sa.Connection) -> None:
        """Before features are stored: those of another model would never be found."""
        if self.fingerprint is not None and _read_meta(connection, "fingerprint") != self.fingerprint:
            raise changed_meanwhile(self.database)

    # The log, and what indexes are built from

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        """A write transaction that appends to the log."""
        with writing(self.database) as connection:
            yield connection
            seq = log.last_seq(connection)
        self._note.write(seq)

    def _tell_missing(self) -> None:
        noted = self._note.read()
        # In this order: others may be at work.
        seq = self.last_seq()
        if noted > seq:
            _log.error(
                "%s has seen %d changes, %d were acknowledged: its write-ahead log was damaged or lost, or an older "
                "copy was put in its place; what was changed since is missing, unless a backup has it",
                DATABASE_NAME, seq, noted,
            )  # fmt: skip

    def last_seq(self) -> int:
        with reading(self.database) as connection:
            return log.last_seq(connection)

    def changes(self, *, after: int, limit: int = 10_000) -> list[Change]:
        with reading(self.database) as connection:
            return log.changes(connection, after=after, limit=limit)

    def follow(self, channels: Sequence[Channel], *, after: int, limit: int = 1_000) -> tuple[list[Followed], int]:
        """What was added, changed and removed in the channels since the log's number `after`, oldest first, at most
        `limit`; and the number with which to go on: the same again where nothing is new. An image that was replaced
        is a removal and an addition."""
        with reading(self.database) as connection:
            return log.follow(connection, channels, after=after, limit=limit)

    def standing(self) -> list[tuple[int, int, int]]:
        """Number, channel number and whether it is active (1 or 0) of every picture, by number."""
        with reading(self.database) as connection:
            return log.standing(connection)

    def features(self, ids: Sequence[int]) -> list[log.Features]:
        """(picture number, channel number, active, keypoints, vector) of those of `ids` that exist, by number."""
        with reading(self.database) as connection:
            return log.features(connection, ids)


def _read_meta(connection: sa.Connection, key: str) -> str | None:
    return connection.scalar(_META, {"key": key})


def _name(channel: str | Channel) -> str:
    return channel if isinstance(channel, str) else channel.name
