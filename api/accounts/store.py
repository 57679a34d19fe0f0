"""Users and key pairs, in tables beside the catalogue's, so that one file and one backup hold both.

Each user has two pairs: one for everything, one that only reads. A pair is a username (the key, shown in
lists) and a secret of 256 random bits, kept as its SHA-256 alone: a secret that long needs no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from api.errors import UserExists, UserNotFound, WrongCredentials
from engine.catalogue.rules import CHANNEL_NAME, CHANNEL_RULE
from engine.catalogue.transactions import reading, writing
from engine.catalogue.upgrade import upgrade_schema
from engine.errors import InvalidValue

MIGRATIONS = Path(__file__).with_name("migrations")
_tables = sa.MetaData()
user_table = sa.Table(
    "user",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("disabled", sa.Boolean),
    sa.Column("created_at", sa.Float),
)
credential_table = sa.Table(
    "credential",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.Integer),
    sa.Column("username", sa.Text),
    sa.Column("secret_sha256", sa.Text),
    sa.Column("readonly", sa.Boolean),
    sa.Column("created_at", sa.Float),
)


@dataclass(frozen=True, kw_only=True)
class User:
    """Who owns channels and has keys."""

    id: int
    """Owners of channels and counts are told by it."""
    name: str
    """For operators; clients show a key, never this."""
    disabled: bool
    """All of the user's keys are refused."""
    created_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A secret as it is shown once; only its hash is kept."""

    username: str
    secretkey: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Both pairs of a user."""

    full: KeyPair
    readonly: KeyPair


def random_key() -> str:
    """256 random bits as 64 hexadecimal digits: safe in forms, shells and file names."""
    return secrets.token_hex(32)


def fingerprint(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


_NOBODY = fingerprint("an unknown username is compared with this, so that it costs what a wrong secret costs")


class Accounts:
    """All reads and writes of users and keys. Safe for use by many threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        upgrade_schema(database, MIGRATIONS, version_table="accounts_version")

    def verify(self, username: str, secret: str) -> tuple[User, bool]:
        """The user of a pair, and whether the pair only reads. Raises WrongCredentials."""
        return self.verify_fingerprint(username, fingerprint(secret))

    def verify_fingerprint(self, username: str, secret_sha256: str) -> tuple[User, bool]:
        """The same for who has seen the secret once and kept its fingerprint: a session."""
        query = (
            sa.select(user_table, credential_table.c.secret_sha256, credential_table.c.readonly)
            .join(credential_table, credential_table.c.user_id == user_table.c.id)
            .where(credential_table.c.username == username)
        )
        with reading(self._database) as connection:
            row = connection.execute(query).first()
        fits = hmac.compare_digest(row.secret_sha256 if row else _NOBODY, secret_sha256)
        if row is None or not fits or row.disabled:
            raise WrongCredentials
        return User(id=row.id, name=row.name, disabled=row.disabled, created_at=row.created_at), row.readonly

    def add_user(self, name: str) -> Keys:
        """A new user and the only sight of its secrets. Raises UserExists, InvalidValue."""
        if not CHANNEL_NAME.fullmatch(name):  # users are named by the rule of channels
            raise InvalidValue("name", CHANNEL_RULE)
        row = {"name": name, "disabled": False, "created_at": time.time()}
        try:
            with writing(self._database) as connection:
                number = connection.execute(sa.insert(user_table).values(**row)).inserted_primary_key
                assert number is not None
                return _each_scope(lambda readonly: _insert_pair(connection, number[0], readonly=readonly))
        except sa.exc.IntegrityError as error:
            raise UserExists(name) from error

    def rotate_keys(self, name: str) -> Keys:
        """New secrets under the same usernames; the old ones are refused from now on. Raises UserNotFound."""
        user = self.user(name)
        with writing(self._database) as connection:
            return _each_scope(lambda readonly: _replace_secret(connection, user.id, readonly=readonly))

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Refuses all of a user's keys, or allows them again. Raises UserNotFound."""
        user = self.user(name)
        with writing(self._database) as connection:
            connection.execute(sa.update(user_table).where(user_table.c.id == user.id).values(disabled=disabled))

    def user(self, name: str) -> User:
        """Raises UserNotFound."""
        with reading(self._database) as connection:
            row = connection.execute(sa.select(user_table).where(user_table.c.name == name)).first()
        if row is None:
            raise UserNotFound(name)
        return User(**row._mapping)

    def user_by_id(self, number: int) -> User:
        """Raises UserNotFound."""
        with reading(self._database) as connection:
            row = connection.execute(sa.select(user_table).where(user_table.c.id == number)).first()
        if row is None:
            raise UserNotFound(str(number))
        return User(**row._mapping)

    def users(self) -> list[User]:
        """All users by name."""
        with reading(self._database) as connection:
            return [User(**row._mapping) for row in connection.execute(sa.select(user_table).order_by("name"))]

    def usernames(self, user_id: int) -> dict[str, str]:
        """The user's keys by scope, "full" and "readonly"."""
        query = sa.select(credential_table).where(credential_table.c.user_id == user_id)
        with reading(self._database) as connection:
            rows: list[Any] = list(connection.execute(query))
        return {"readonly" if row.readonly else "full": row.username for row in rows}


def _each_scope(make: Callable[[bool], KeyPair]) -> Keys:
    return Keys(full=make(False), readonly=make(True))


def _insert_pair(connection: sa.Connection, user_id: int, *, readonly: bool) -> KeyPair:
    pair = KeyPair(username=random_key(), secretkey=random_key())
    row = {"user_id": user_id, "username": pair.username, "secret_sha256": fingerprint(pair.secretkey)}
    connection.execute(sa.insert(credential_table).values(**row, readonly=readonly, created_at=time.time()))
    return pair


def _replace_secret(connection: sa.Connection, user_id: int, *, readonly: bool) -> KeyPair:
    mine = (credential_table.c.user_id == user_id) & (credential_table.c.readonly == readonly)
    username = connection.execute(sa.select(credential_table.c.username).where(mine)).scalar_one()
    pair = KeyPair(username=username, secretkey=random_key())
    values = {"secret_sha256": fingerprint(pair.secretkey), "created_at": time.time()}
    connection.execute(sa.update(credential_table).where(mine).values(**values))
    return pair
