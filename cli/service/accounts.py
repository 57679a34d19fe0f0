"""`obverse user` and `obverse channel`: accounts, also while a server runs; it sees them in its next request."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.accounts.open_channels import set_open
from api.accounts.store import Accounts, Keys, User
from api.errors import ForeignChannel
from cli.options import AsJson, DataFolder, NewDataFolder, print_json
from engine.catalogue import Catalogue, Channel
from engine.catalogue.rules import check_channel_name
from engine.errors import ChannelExists, ChannelNotFound

user_app = typer.Typer(help="Users and their keys.", no_args_is_help=True)
channel_app = typer.Typer(help="Channels, their owners and quotas.", no_args_is_help=True)
UserName = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
ChannelName = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.")]
OwnerName = Annotated[str, typer.Option("--user", help="The user who owns the channel.")]


@contextlib.contextmanager
def opened_accounts(folder: Path) -> Iterator[tuple[Catalogue, Accounts]]:
    """The data folder's channels and users."""
    with contextlib.closing(Catalogue(folder)) as catalogue:
        yield catalogue, Accounts(catalogue.database)


def show_table(title: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Rows with the same keys, as a table for people or as JSON."""
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ["(none)"]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)


# Users


@user_app.command("add")
def add_user(name: UserName, data: NewDataFolder, as_json: AsJson = False) -> None:
    """Make a user and show its keys: the only time that the secrets are seen."""
    with opened_accounts(data) as (_, accounts):
        _show_keys(name, accounts.add_user(name), as_json=as_json)


@user_app.command("rotate-key")
def rotate_key(name: UserName, data: DataFolder, as_json: AsJson = False) -> None:
    """Give a user new secrets under the same usernames; the old secrets are refused from now on."""
    with opened_accounts(data) as (_, accounts):
        _show_keys(name, accounts.rotate_keys(name), as_json=as_json)


@user_app.command("disable")
def disable_user(name: UserName, data: DataFolder, as_json: AsJson = False) -> None:
    """Refuse all keys of a user; its channels stay."""
    _set_disabled(name, data, as_json=as_json, disabled=True)


@user_app.command("enable")
def enable_user(name: UserName, data: DataFolder, as_json: AsJson = False) -> None:
    """Allow a disabled user's keys again."""
    _set_disabled(name, data, as_json=as_json, disabled=False)


@user_app.command("list")
def list_users(data: DataFolder, as_json: AsJson = False) -> None:
    """List users with their usernames and channels; secrets are not kept, so none are shown."""
    with opened_accounts(data) as (catalogue, accounts):
        show_table("Users", [_user_row(catalogue, accounts, user) for user in accounts.users()], as_json=as_json)


def _set_disabled(name: str, data: Path, *, as_json: bool, disabled: bool) -> None:
    with opened_accounts(data) as (_, accounts):
        accounts.set_disabled(name, disabled=disabled)
    done = {"name": name, "disabled": disabled}
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{name} is {'disabled' if disabled else 'enabled'}")


def _user_row(catalogue: Catalogue, accounts: Accounts, user: User) -> dict[str, Any]:
    usernames = accounts.usernames(user.id)
    return {
        "name": user.name,
        "disabled": user.disabled,
        "created": dt.datetime.fromtimestamp(user.created_at, dt.UTC).isoformat(timespec="seconds"),
        "channels": len(catalogue.channels(owner=user.id)),
        "username": usernames.get("full"),
        "readonly_username": usernames.get("readonly"),
    }


def _show_keys(name: str, keys: Keys, *, as_json: bool) -> None:
    full = {"username": keys.full.username, "secretkey": keys.full.secretkey}
    readonly = {"username": keys.readonly.username, "secretkey": keys.readonly.secretkey}
    if as_json:
        print_json({"name": name, **full, "readonly": readonly})
        return
    for title, pair in (("everything", full), ("FindImage, GetImage, Statistics only", readonly)):
        typer.echo(f"{title}\n  username   {pair['username']}\n  secretkey  {pair['secretkey']}")
    typer.echo("Keep the secrets now: they are not stored and cannot be shown again.")


# Channels


@channel_app.command("add")
def add_channel(
    channel: ChannelName,
    user: OwnerName,
    data: DataFolder,
    quota: Annotated[int | None, typer.Option(min=0, help="Most pictures (default: no limit).")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a channel for a user, or give it one that has no owner yet."""
    with opened_accounts(data) as (catalogue, accounts):
        owner = accounts.user(user)
        check_channel_name(channel)
        made = _made_or_adopted(catalogue, channel, owner, quota=quota)
        _show_channel(catalogue, made, user, as_json=as_json)


@channel_app.command("list")
def list_channels(
    data: DataFolder,
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List channels with their owners, pictures and quotas."""
    with opened_accounts(data) as (catalogue, accounts):
        names = {found.id: found.name for found in accounts.users()}
        chosen = catalogue.channels(owner=accounts.user(user).id if user else None)
        counts = catalogue.counts()
        rows = [_channel_row(c, names.get(c.owner or 0), counts.get(c.name, 0)) for c in chosen]
        show_table("Channels", rows, as_json=as_json)


@channel_app.command("remove")
def remove_channel(channel: ChannelName, user: OwnerName, data: DataFolder, as_json: AsJson = False) -> None:
    """Remove a channel and all its pictures. Its counts are kept."""
    with opened_accounts(data) as (catalogue, accounts):
        removed = catalogue.remove_channel(owned(catalogue, accounts, channel, user))
    done = {"channel": channel, "removed_pictures": removed}
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{channel} and its {removed} pictures are removed")


@channel_app.command("quota")
def set_quota(
    channel: ChannelName,
    quota: Annotated[str, typer.Argument(metavar="QUOTA", help='Most pictures, or "none".')],
    user: OwnerName,
    data: DataFolder,
    as_json: AsJson = False,
) -> None:
    """Set how many pictures a channel may hold. Pictures above it stay; only new ones are refused."""
    if quota != "none" and not (quota.isascii() and quota.isdigit() and len(quota) < 16):
        raise typer.BadParameter('a whole number or "none"', param_hint="QUOTA")
    with opened_accounts(data) as (catalogue, accounts):
        found = owned(catalogue, accounts, channel, user)
        limit = None if quota == "none" else int(quota)
        changed = catalogue.update_channel(found, owner=found.owner, quota=limit)
        _show_channel(catalogue, changed, user, as_json=as_json)


@channel_app.command("try")
def open_to_all(
    channel: ChannelName,
    on: Annotated[bool, typer.Option("--on/--off", help="Whether anybody may try it.")],
    data: DataFolder,
    as_json: AsJson = False,
) -> None:
    """Let anybody try a channel at /try, without signing in, or nobody any more."""
    with opened_accounts(data) as (catalogue, _):
        set_open(catalogue, catalogue.channel(channel), to_all=on)
    if as_json:
        print_json({"channel": channel, "open": on})
    else:
        typer.echo(f"{channel} is {'open to everybody' if on else 'closed'} at /try")


def _made_or_adopted(catalogue: Catalogue, name: str, owner: User, *, quota: int | None) -> Channel:
    try:
        return catalogue.add_channel(name, owner=owner.id, quota=quota)
    except ChannelExists:
        found = catalogue.channel(name)
        if found.owner is not None:
            raise
        return catalogue.update_channel(found, owner=owner.id, quota=found.quota if quota is None else quota)


def owned(catalogue: Catalogue, accounts: Accounts, channel: str, user: str) -> Channel:
    """The user's channel; another's is not found, lest a slip of the pen removes it. Handed on as it is, not by its
    name, what is done next is done to no other that got the name meanwhile."""
    found = catalogue.channel(channel)
    if found.owner != accounts.user(user).id:
        raise ChannelNotFound(channel)
    return found


def owned_or_made(catalogue: Catalogue, accounts: Accounts, channel: str, user: str) -> Channel:
    """The user's channel, made now where it is missing, or given to the user where it has no owner. Raises
    ForeignChannel."""
    owner = accounts.user(user)
    check_channel_name(channel)
    with contextlib.suppress(ChannelExists):
        catalogue.add_channel(channel, owner=owner.id)
    found = catalogue.channel(channel)
    if found.owner is None:
        return catalogue.update_channel(found, owner=owner.id, quota=found.quota)
    if found.owner != owner.id:
        raise ForeignChannel(channel)
    return found


def _show_channel(catalogue: Catalogue, channel: Channel, owner: str, *, as_json: bool) -> None:
    row = _channel_row(channel, owner, catalogue.count(channel))
    if as_json:
        print_json(row)
    else:
        show_table("Channel", [row], as_json=False)


def _channel_row(channel: Channel, owner: str | None, pictures: int) -> dict[str, Any]:
    return {"channel": channel.name, "user": owner, "pictures": pictures, "quota": channel.quota}
