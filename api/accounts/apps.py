"""Apps: an appId names one channel, an apiKey and an apiSecret sign for it.

Signatures are checked against the secret itself, so it is kept sealed (see `vault`), not hashed. An app whose
channel was removed, has no owner, or whose owner is disabled, does not exist.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from api.accounts.store import User, random_key, user_table
from api.accounts.vault import Vault
from api.errors import AppExists, AppNotFound
from engine.catalogue import Channel
from engine.catalogue.tables import channel_table
from engine.catalogue.transactions import reading, writing
from engine.errors import DamagedData

app_table = sa.Table(
    "app",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("app_id", sa.Text),
    sa.Column("api_key", sa.Text),
    sa.Column("sealed_secret", sa.Text),
    sa.Column("channel_id", sa.Integer),
    sa.Column("created_at", sa.Float),
)


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """An app without its secret."""

    app_id: str
    """Names the app, and its channel, in every request."""
    api_key: str
    """Names the secret that signs."""
    channel: str
    """The name of its channel."""
    user: User
    """The owner of the channel."""
    created_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class App(AppFacts):
    """An app with its secret."""

    api_secret: str = field(repr=False)
    """What signatures are made with; 64 hexadecimal digits."""

    @property
    def secret_mark(self) -> str:
        """Changes with the secret and does not tell it: what was signed before a rotation shows itself."""
        return hashlib.sha256(self.api_secret.encode()).hexdigest()[:16]


class Apps:
    """All reads and writes of apps. Accounts has brought the tables to their newest form. Safe for use by many
    threads and processes."""

    def __init__(self, database: sa.Engine, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def add(self, channel: Channel) -> App:
        """Raises AppExists; the channel needs an owner."""
        row = {
            "app_id": secrets.token_hex(16),
            "api_key": secrets.token_hex(16),
            "sealed_secret": self._vault.seal(random_key()),
            "channel_id": channel.id,
            "created_at": time.time(),
        }
        try:
            with writing(self._database) as connection:
                connection.execute(sa.insert(app_table).values(**row))
        except sa.exc.IntegrityError as error:
            raise AppExists(channel.name) from error
        return self.of_channel(channel)

    def rotate(self, channel: Channel) -> App:
        """A new secret under the same appId and apiKey; the old one, and tokens made with it, are refused from
        now on. Raises AppNotFound."""
        change = sa.update(app_table).where(app_table.c.channel_id == channel.id)
        with writing(self._database) as connection:
            done = connection.execute(change.values(sealed_secret=self._vault.seal(random_key())))
        if not done.rowcount:
            raise AppNotFound(f"of channel {channel.name!r}")
        return self.of_channel(channel)

    def remove(self, channel: Channel) -> None:
        """The channel and its pictures stay. Raises AppNotFound."""
        with writing(self._database) as connection:
            done = connection.execute(sa.delete(app_table).where(app_table.c.channel_id == channel.id))
        if not done.rowcount:
            raise AppNotFound(f"of channel {channel.name!r}")

    def of_channel(self, channel: Channel) -> App:
        """Raises AppNotFound."""
        found = self._one(app_table.c.channel_id == channel.id)
        if found is None:
            raise AppNotFound(f"of channel {channel.name!r}")
        return found

    def by_app_id(self, app_id: str) -> App | None:
        """Raises DamagedData where the secret cannot be opened; so does `by_api_key`."""
        return self._one(app_table.c.app_id == app_id)

    def by_api_key(self, api_key: str) -> App | None:
        return self._one(app_table.c.api_key == api_key)

    def all(self, *, user_id: int | None = None) -> list[AppFacts]:
        """All apps, or those of one user, ordered by channel; no secret is opened."""
        return [_facts(row) for row in self._rows(sa.true() if user_id is None else channel_table.c.owner == user_id)]

    def _one(self, condition: sa.ColumnElement[bool]) -> App | None:
        for row in self._rows(condition):
            secret = self._vault.open(row.sealed_secret)
            if secret is None:
                raise DamagedData(
                    "secrets.key did not seal the secrets of this data folder: restore the file that belongs to it, "
                    "or give the apps new secrets with `obverse app rotate`"
                )
            return App(**vars(_facts(row)), api_secret=secret)
        return None

    def _rows(self, condition: sa.ColumnElement[bool]) -> list[Any]:
        query = (
            sa.select(app_table, channel_table.c.name.label("channel"), user_table.c.id.label("user_id"))
            .add_columns(user_table.c.name.label("user_name"), user_table.c.created_at.label("user_since"))
            .join(channel_table, channel_table.c.id == app_table.c.channel_id)
            .join(user_table, user_table.c.id == channel_table.c.owner)
            .where(condition, user_table.c.disabled.is_(False))
            .order_by(channel_table.c.name)
        )
        with reading(self._database) as connection:
            return list(connection.execute(query))


def _facts(row: Any) -> AppFacts:
    user = User(id=row.user_id, name=row.user_name, disabled=False, created_at=row.user_since)
    return AppFacts(app_id=row.app_id, api_key=row.api_key, channel=row.channel, user=user, created_at=row.created_at)
