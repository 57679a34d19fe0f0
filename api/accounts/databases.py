"""Databases: one for a channel, with a server pair of keys that manages its targets and a client pair that queries.

Signatures are checked against the secrets themselves, so they are kept sealed (see `vault`), not hashed. A database
whose channel was removed, has no owner, or whose owner is disabled, does not exist.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from api.accounts.store import User, user_table
from api.accounts.vault import Vault
from api.errors import DatabaseExists, DatabaseNotFound
from engine.catalogue import Channel
from engine.catalogue.tables import channel_table
from engine.catalogue.transactions import reading, writing
from engine.errors import DamagedData

database_table = sa.Table(
    "target_database",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("server_access_key", sa.Text),
    sa.Column("sealed_server_secret", sa.Text),
    sa.Column("client_access_key", sa.Text),
    sa.Column("sealed_client_secret", sa.Text),
    sa.Column("channel_id", sa.Integer),
    sa.Column("active", sa.Boolean),
    sa.Column("created_at", sa.Float),
)


@dataclass(frozen=True, kw_only=True)
class AccessPair:
    """An access key and the secret that signs for it; 40 hexadecimal digits each."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class DatabaseFacts:
    """A database without its secrets."""

    channel: str
    """The name of its channel, and its own."""
    user: User
    """The owner of the channel."""
    server_access_key: str
    client_access_key: str
    active: bool
    """False: it can be looked at, and nothing else."""
    created_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Database(DatabaseFacts):
    """A database with its secrets."""

    server: AccessPair
    """Manages the targets."""
    client: AccessPair
    """Queries alone."""


class Databases:
    """All reads and writes of databases. Accounts has brought the tables to their newest form. Safe for use by many
    threads and processes."""

    def __init__(self, database: sa.Engine, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def add(self, channel: Channel) -> Database:
        """Raises DatabaseExists; the channel needs an owner."""
        row = {
            "server_access_key": _key(),
            "client_access_key": _key(),
            "channel_id": channel.id,
            "active": True,
            "created_at": time.time(),
            **self._new_secrets(),
        }
        try:
            with writing(self._database) as connection:
                connection.execute(sa.insert(database_table).values(**row))
        except sa.exc.IntegrityError as error:
            raise DatabaseExists(channel.name) from error
        return self.of_channel(channel)

    def rotate(self, channel: Channel) -> Database:
        """New secrets under the same access keys; the old ones are refused from now on. Raises DatabaseNotFound."""
        self._change(channel, self._new_secrets())
        return self.of_channel(channel)

    def set_active(self, channel: Channel, *, active: bool) -> None:
        """Raises DatabaseNotFound."""
        self._change(channel, {"active": active})

    def remove(self, channel: Channel) -> None:
        """The channel and its pictures stay. Raises DatabaseNotFound."""
        with writing(self._database) as connection:
            done = connection.execute(sa.delete(database_table).where(database_table.c.channel_id == channel.id))
        if not done.rowcount:
            raise DatabaseNotFound(channel.name)

    def of_channel(self, channel: Channel) -> Database:
        """Raises DatabaseNotFound; DamagedData where the secrets cannot be opened, as the next two do."""
        found = self._one(database_table.c.channel_id == channel.id)
        if found is None:
            raise DatabaseNotFound(channel.name)
        return found

    def by_server_key(self, access_key: str) -> Database | None:
        return self._one(database_table.c.server_access_key == access_key)

    def by_client_key(self, access_key: str) -> Database | None:
        return self._one(database_table.c.client_access_key == access_key)

    def all(self, *, user_id: int | None = None) -> list[DatabaseFacts]:
        """All databases, or those of one user, ordered by channel; no secret is opened."""
        condition = sa.true() if user_id is None else channel_table.c.owner == user_id
        return [DatabaseFacts(**_facts(row)) for row in self._rows(condition)]

    def _new_secrets(self) -> dict[str, str]:
        return {f"sealed_{side}_secret": self._vault.seal(_key()) for side in ("server", "client")}

    def _change(self, channel: Channel, values: dict[str, Any]) -> None:
        change = sa.update(database_table).where(database_table.c.channel_id == channel.id)
        with writing(self._database) as connection:
            done = connection.execute(change.values(**values))
        if not done.rowcount:
            raise DatabaseNotFound(channel.name)

    def _one(self, condition: sa.ColumnElement[bool]) -> Database | None:
        for row in self._rows(condition):
            return Database(
                **_facts(row),
                server=AccessPair(access_key=row.server_access_key, secret_key=self._opened(row.sealed_server_secret)),
                client=AccessPair(access_key=row.client_access_key, secret_key=self._opened(row.sealed_client_secret)),
            )
        return None

    def _opened(self, sealed: str) -> str:
        secret = self._vault.open(sealed)
        if secret is None:
            raise DamagedData(
                "secrets.key did not seal the secrets of this data folder: restore the file that belongs to it, "
                "or give the databases new secrets with `obverse database rotate`"
            )
        return secret

    def _rows(self, condition: sa.ColumnElement[bool]) -> list[Any]:
        query = (
            sa.select(database_table, channel_table.c.name.label("channel"), user_table.c.id.label("user_id"))
            .add_columns(user_table.c.name.label("user_name"), user_table.c.created_at.label("user_since"))
            .join(channel_table, channel_table.c.id == database_table.c.channel_id)
            .join(user_table, user_table.c.id == channel_table.c.owner)
            .where(condition, user_table.c.disabled.is_(False))
            .order_by(channel_table.c.name)
        )
        with reading(self._database) as connection:
            return list(connection.execute(query))


def _key() -> str:
    """160 random bits, as long as the vendor's."""
    return secrets.token_hex(20)


def _facts(row: Any) -> dict[str, Any]:
    return {
        "channel": row.channel,
        "user": User(id=row.user_id, name=row.user_name, disabled=False, created_at=row.user_since),
        "server_access_key": row.server_access_key,
        "client_access_key": row.client_access_key,
        "active": row.active,
        "created_at": row.created_at,
    }
