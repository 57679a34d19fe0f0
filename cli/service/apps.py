"""`obverse app`: the keys with which EasyAR clients reach a channel, also while a server runs."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.accounts.apps import App, AppFacts, Apps
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from cli.options import AsJson, DataFolder, print_json
from cli.service.accounts import ChannelName, OwnerName, opened_accounts, owned, owned_or_made, show_table
from engine.catalogue import Catalogue

app_app = typer.Typer(help="Apps: keys of EasyAR clients, each for one channel.", no_args_is_help=True)


@contextlib.contextmanager
def _opened_apps(folder: Path) -> Iterator[tuple[Catalogue, Accounts, Apps]]:
    with opened_accounts(folder) as (catalogue, accounts):
        yield catalogue, accounts, Apps(catalogue.database, Vault(folder))


@app_app.command("add")
def add_app(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Make an appId, an apiKey and an apiSecret for a channel, which is made where it is missing."""
    with _opened_apps(data) as (catalogue, accounts, apps):
        _show_keys(apps.add(owned_or_made(catalogue, accounts, channel, user)), as_json=as_json)


@app_app.command("list")
def list_apps(
    data: DataFolder,
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List apps with their keys, without their secrets."""
    with _opened_apps(data) as (_, accounts, apps):
        rows = [_row(app) for app in apps.all(user_id=accounts.user(user).id if user else None)]
        show_table("Apps", rows, as_json=as_json)


@app_app.command("rotate")
def rotate_app(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Give a channel's app a new apiSecret; the old one and its tokens are refused from now on."""
    with _opened_apps(data) as (catalogue, accounts, apps):
        _show_keys(apps.rotate(owned(catalogue, accounts, channel, user)), as_json=as_json)


@app_app.command("remove")
def remove_app(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Remove a channel's app. The channel and its pictures stay."""
    with _opened_apps(data) as (catalogue, accounts, apps):
        apps.remove(owned(catalogue, accounts, channel, user))
    if as_json:
        print_json({"channel": channel})
    else:
        typer.echo(f"the app of {channel} is removed")


def _row(app: AppFacts) -> dict[str, Any]:
    return {
        "channel": app.channel,
        "user": app.user.name,
        "appId": app.app_id,
        "apiKey": app.api_key,
        "created": dt.datetime.fromtimestamp(app.created_at, dt.UTC).isoformat(timespec="seconds"),
    }


def _show_keys(app: App, *, as_json: bool) -> None:
    keys = {"appId": app.app_id, "apiKey": app.api_key, "apiSecret": app.api_secret, "channel": app.channel}
    if as_json:
        print_json(keys)
        return
    for name, value in keys.items():
        typer.echo(f"{name:<10} {value}")
