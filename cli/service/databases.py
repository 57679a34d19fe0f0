"""`obverse database`: the keys with which Vuforia's clients reach a channel, also while a server runs."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.accounts.databases import Database, DatabaseFacts, Databases
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from cli.options import AsJson, DataFolder, print_json
from cli.service.accounts import ChannelName, OwnerName, opened_accounts, owned, owned_or_made, show_table
from engine.catalogue import Catalogue

database_app = typer.Typer(help="Databases: keys of Vuforia's clients, each for one channel.", no_args_is_help=True)


@contextlib.contextmanager
def _opened_databases(folder: Path) -> Iterator[tuple[Catalogue, Accounts, Databases]]:
    with opened_accounts(folder) as (catalogue, accounts):
        yield catalogue, accounts, Databases(catalogue.database, Vault(folder))


@database_app.command("add")
def add_database(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Make a server pair and a client pair of keys for a channel, which is made where it is missing."""
    with _opened_databases(data) as (catalogue, accounts, databases):
        _show_keys(databases.add(owned_or_made(catalogue, accounts, channel, user)), as_json=as_json)


@database_app.command("list")
def list_databases(
    data: DataFolder,
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List databases with their access keys, without their secrets."""
    with _opened_databases(data) as (_, accounts, databases):
        rows = [_row(found) for found in databases.all(user_id=accounts.user(user).id if user else None)]
        show_table("Databases", rows, as_json=as_json)


@database_app.command("rotate")
def rotate_database(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Give a channel's database new secret keys; the old ones are refused from now on."""
    with _opened_databases(data) as (catalogue, accounts, databases):
        _show_keys(databases.rotate(owned(catalogue, accounts, channel, user)), as_json=as_json)


@database_app.command("switch-off")
def switch_off(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Make the project inactive: clients may look at targets, and neither change nor query them."""
    _set_active(channel, user, data, as_json=as_json, active=False)


@database_app.command("switch-on")
def switch_on(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Make an inactive project active again."""
    _set_active(channel, user, data, as_json=as_json, active=True)


@database_app.command("remove")
def remove_database(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Remove a channel's database. The channel and its pictures stay."""
    with _opened_databases(data) as (catalogue, accounts, databases):
        databases.remove(owned(catalogue, accounts, channel, user))
    if as_json:
        print_json({"channel": channel})
    else:
        typer.echo(f"the database of {channel} is removed")


def _set_active(channel: str, user: str, data: Path, *, as_json: bool, active: bool) -> None:
    with _opened_databases(data) as (catalogue, accounts, databases):
        databases.set_active(owned(catalogue, accounts, channel, user), active=active)
    if as_json:
        print_json({"channel": channel, "active": active})
    else:
        typer.echo(f"the database of {channel} is {'active' if active else 'inactive'}")


def _row(found: DatabaseFacts) -> dict[str, Any]:
    return {
        "channel": found.channel,
        "user": found.user.name,
        "active": found.active,
        "server_access_key": found.server_access_key,
        "client_access_key": found.client_access_key,
        "created": dt.datetime.fromtimestamp(found.created_at, dt.UTC).isoformat(timespec="seconds"),
    }


def _show_keys(made: Database, *, as_json: bool) -> None:
    pairs = {
        side: {"access_key": pair.access_key, "secret_key": pair.secret_key}
        for side, pair in (("server", made.server), ("client", made.client))
    }
    if as_json:
        print_json({"database": made.channel, "channel": made.channel, **pairs})
        return
    typer.echo(f"database   {made.channel}")
    for side, pair in pairs.items():
        typer.echo(f"{side}\n  access key {pair['access_key']}\n  secret key {pair['secret_key']}")
