"""Targets whose image shows too little to be recognised. Vuforia's databases keep them all the same, as failed or with
the rating 0; no picture is stored of one, so that no other client meets it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from engine.catalogue import Channel
from engine.catalogue.tables import channel_table, picture_table
from engine.catalogue.transactions import reading, writing
from engine.errors import IdentifierTaken

poor_table = sa.Table(
    "poor_target",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.Text),
    sa.Column("channel_id", sa.Integer),
    sa.Column("identifier", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("width", sa.Float),
    sa.Column("active", sa.Boolean),
    sa.Column("metadata", sa.Text),
    sa.Column("facts", sa.Text),
    sa.Column("failed", sa.Boolean),
    sa.Column("added_at", sa.Float),
    sa.Column("updated_at", sa.Float),
)


@dataclass(frozen=True, kw_only=True)
class PoorTarget:
    """What is told of one; times are seconds since 1970."""

    uuid: str
    identifier: str
    """What a picture of that name would have: unique in the channel."""
    name: str
    width: float
    active: bool
    metadata: str = field(repr=False)
    """As a picture's would be written."""
    facts: dict[str, Any] = field(repr=False)
    """What a picture's would be."""
    failed: bool
    """The image shows nothing; else it could be told from others, and is rated 0."""
    added_at: float
    updated_at: float


class PoorTargets:
    """All reads and writes of them. Accounts has brought the tables to their newest form. Safe for use by many threads
    and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def add(self, channel: Channel, target: PoorTarget) -> None:
        """Raises IdentifierTaken. What a change that was cut short left under its UUID, and those of channels that are
        gone, go with it."""
        gone = poor_table.c.channel_id.not_in(sa.select(channel_table.c.id)) | (poor_table.c.uuid == target.uuid)
        try:
            with writing(self._database) as connection:
                connection.execute(sa.delete(poor_table).where(gone))
                connection.execute(sa.insert(poor_table).values(**_columns(target), channel_id=channel.id))
        except sa.exc.IntegrityError as error:
            raise IdentifierTaken(channel.name, target.identifier) from error

    def replace(self, channel: Channel, target: PoorTarget) -> bool:
        """Whether there was one of that UUID. Raises IdentifierTaken."""
        mine = (poor_table.c.channel_id == channel.id, poor_table.c.uuid == target.uuid)
        try:
            with writing(self._database) as connection:
                change = sa.update(poor_table).where(*mine)
                return bool(connection.execute(change.values(**_columns(target))).rowcount)
        except sa.exc.IntegrityError as error:
            raise IdentifierTaken(channel.name, target.identifier) from error

    def remove(self, channel: Channel, uuid: str) -> bool:
        """Whether there was one."""
        with writing(self._database) as connection:
            mine = (poor_table.c.channel_id == channel.id, poor_table.c.uuid == uuid)
            return bool(connection.execute(sa.delete(poor_table).where(*mine)).rowcount)

    def by_uuid(self, channel: Channel, uuid: str) -> PoorTarget | None:
        return self._one(poor_table.c.channel_id == channel.id, poor_table.c.uuid == uuid)

    def by_identifier(self, channel: Channel, identifier: str) -> PoorTarget | None:
        return self._one(poor_table.c.channel_id == channel.id, poor_table.c.identifier == identifier)

    def all(self, channel: Channel) -> list[PoorTarget]:
        """In the order of addition; without those that are pictures, which a change that was cut short left."""
        pictures = sa.select(picture_table.c.uuid).where(picture_table.c.channel_id == channel.id)
        mine = (poor_table.c.channel_id == channel.id, poor_table.c.uuid.not_in(pictures))
        query = sa.select(poor_table).where(*mine).order_by(poor_table.c.added_at)
        with reading(self._database) as connection:
            return [_target(row) for row in connection.execute(query)]

    def _one(self, *conditions: sa.ColumnElement[bool]) -> PoorTarget | None:
        with reading(self._database) as connection:
            row = connection.execute(sa.select(poor_table).where(*conditions)).first()
        return None if row is None else _target(row)


def _columns(target: PoorTarget) -> dict[str, Any]:
    return {**asdict(target), "facts": json.dumps(target.facts)}


def _target(row: Any) -> PoorTarget:
    values = {name: getattr(row, name) for name in PoorTarget.__dataclass_fields__}
    return PoorTarget(**{**values, "facts": json.loads(row.facts)})
