"""Targets whose image shows too little to be recognised. Vuforia's databases list them as failed until they are
removed; no picture is stored of one, so that no other client meets it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from engine.catalogue import Channel
from engine.catalogue.tables import channel_table
from engine.catalogue.transactions import reading, writing
from engine.errors import IdentifierTaken

failed_table = sa.Table(
    "failed_target",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.Text),
    sa.Column("channel_id", sa.Integer),
    sa.Column("identifier", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("width", sa.Float),
    sa.Column("active", sa.Boolean),
    sa.Column("added_at", sa.Float),
    sa.Column("updated_at", sa.Float),
)


@dataclass(frozen=True, kw_only=True)
class FailedTarget:
    """What is told of one; times are seconds since 1970."""

    uuid: str
    identifier: str
    """What a picture of that name would have: unique in the channel."""
    name: str
    width: float
    active: bool
    added_at: float
    updated_at: float


class FailedTargets:
    """All reads and writes of them. Accounts has brought the tables to their newest form. Safe for use by many threads
    and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def add(self, channel: Channel, target: FailedTarget) -> None:
        """Raises IdentifierTaken. Those of channels that are gone go with it."""
        gone = failed_table.c.channel_id.not_in(sa.select(channel_table.c.id))
        try:
            with writing(self._database) as connection:
                connection.execute(sa.delete(failed_table).where(gone))
                connection.execute(sa.insert(failed_table).values(**asdict(target), channel_id=channel.id))
        except sa.exc.IntegrityError as error:
            raise IdentifierTaken(channel.name, target.identifier) from error

    def remove(self, channel: Channel, uuid: str) -> bool:
        """Whether there was one."""
        with writing(self._database) as connection:
            mine = (failed_table.c.channel_id == channel.id, failed_table.c.uuid == uuid)
            return bool(connection.execute(sa.delete(failed_table).where(*mine)).rowcount)

    def by_uuid(self, channel: Channel, uuid: str) -> FailedTarget | None:
        return self._one(failed_table.c.channel_id == channel.id, failed_table.c.uuid == uuid)

    def by_identifier(self, channel: Channel, identifier: str) -> FailedTarget | None:
        return self._one(failed_table.c.channel_id == channel.id, failed_table.c.identifier == identifier)

    def all(self, channel: Channel) -> list[FailedTarget]:
        """In the order of addition."""
        query = sa.select(failed_table).where(failed_table.c.channel_id == channel.id).order_by(failed_table.c.added_at)
        with reading(self._database) as connection:
            return [_target(row) for row in connection.execute(query)]

    def _one(self, *conditions: sa.ColumnElement[bool]) -> FailedTarget | None:
        with reading(self._database) as connection:
            row = connection.execute(sa.select(failed_table).where(*conditions)).first()
        return None if row is None else _target(row)


def _target(row: Any) -> FailedTarget:
    return FailedTarget(**{name: getattr(row, name) for name in FailedTarget.__dataclass_fields__})
