"""`obverse client`: the seven calls from a shell, also an example of how to make them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from cli.options import print_json, printable

client_app = typer.Typer(help="Call a running server.", no_args_is_help=True)
Server = Annotated[str, typer.Option("--server", envvar="OBVERSE_SERVER", help="Where it listens.")]
UserKey = Annotated[str | None, typer.Option("--username", envvar="OBVERSE_USERNAME", help="The user's key.")]
Secret = Annotated[str | None, typer.Option("--secretkey", envvar="OBVERSE_SECRETKEY", help="The user's secret.")]
Channel = Annotated[str, typer.Option("--channel", help="The channel's name.")]
AnyChannel = Annotated[str | None, typer.Option("--channel", help="Only this channel.")]
Identifier = Annotated[str, typer.Argument(help="The picture's name.")]
Image = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JPEG or PNG file.")]
LOCAL = "http://127.0.0.1:8000"


def call(server: str, method: str, fields: dict[str, Any], *, image: Path | None = None) -> None:
    """One call; prints the answer. The command ends with 1 where the returncode is not 0."""
    data = {name: str(value) for name, value in fields.items() if value is not None}
    files = {"image": (image.name, image.read_bytes())} if image else None
    try:
        response = httpx.post(f"{server.rstrip('/')}/{method}", data=data, files=files, timeout=60)
        answer = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError) as error:
        typer.echo(f"obverse: no answer from {printable(server)}: {printable(error)}", err=True)
        raise typer.Exit(1) from error
    print_json(answer, indent=2)
    if answer.get("returncode") != 0:
        raise typer.Exit(1)


@client_app.command("add")
def add(
    identifier: Identifier,
    image: Image,
    channel: Channel,
    username: UserKey = None,
    secretkey: Secret = None,
    metadata: Annotated[str | None, typer.Option(help="Any text, usually JSON.")] = None,
    matchratio: Annotated[float | None, typer.Option(help="Least match ratio of an answer.")] = None,
    server: Server = LOCAL,
) -> None:
    """AddImage."""
    fields = {"username": username, "secretkey": secretkey, "channel": channel, "identifier": identifier}
    call(server, "AddImage", {**fields, "metadata": metadata, "matchratio": matchratio}, image=image)


@client_app.command("find")
def find(
    image: Image,
    channel: AnyChannel = None,
    username: UserKey = None,
    secretkey: Secret = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also match ratio, outline and times.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Also so many candidates.")] = None,
    server: Server = LOCAL,
) -> None:
    """FindImage."""
    fields = {"username": username, "secretkey": secretkey, "channel": channel, "limit": limit}
    call(server, "FindImage", {**fields, "explain": 1 if explain else None}, image=image)


@client_app.command("remove")
def remove(
    identifier: Identifier, channel: Channel, username: UserKey = None, secretkey: Secret = None, server: Server = LOCAL
) -> None:
    """RemoveImage."""
    fields = {"username": username, "secretkey": secretkey, "channel": channel, "identifier": identifier}
    call(server, "RemoveImage", fields)


@client_app.command("list")
def list_images(
    channel: Channel,
    username: UserKey = None,
    secretkey: Secret = None,
    position: Annotated[int, typer.Option(min=0, help="Where the page begins.")] = 0,
    server: Server = LOCAL,
) -> None:
    """GetImages."""
    fields = {"username": username, "secretkey": secretkey, "channel": channel, "position": position}
    call(server, "GetImages", fields)


@client_app.command("get")
def get(
    identifier: Identifier, channel: Channel, username: UserKey = None, secretkey: Secret = None, server: Server = LOCAL
) -> None:
    """GetImage."""
    fields = {"username": username, "secretkey": secretkey, "channel": channel, "identifier": identifier}
    call(server, "GetImage", fields)


@client_app.command("update")
def update(
    identifier: Identifier,
    channel: Channel,
    username: UserKey = None,
    secretkey: Secret = None,
    metadata: Annotated[str | None, typer.Option(help="Any text; empty clears it.")] = None,
    matchratio: Annotated[float | None, typer.Option(help="Least match ratio of an answer.")] = None,
    server: Server = LOCAL,
) -> None:
    """UpdateImageInfo."""
    fields = {"username": username, "secretkey": secretkey, "channel": channel, "identifier": identifier}
    call(server, "UpdateImageInfo", {**fields, "metadata": metadata, "matchratio": matchratio})


@client_app.command("statistics")
def statistics(
    startdate: Annotated[str, typer.Argument(help="yyyy, yyyyMM or yyyyMMdd.")],
    enddate: Annotated[str, typer.Argument(help="yyyy, yyyyMM or yyyyMMdd, inclusive.")],
    channel: AnyChannel = None,
    identifier: Annotated[str | None, typer.Option(help="Only this picture.")] = None,
    username: UserKey = None,
    secretkey: Secret = None,
    server: Server = LOCAL,
) -> None:
    """Statistics."""
    fields = {"username": username, "secretkey": secretkey, "channel": channel, "identifier": identifier}
    call(server, "Statistics", {**fields, "startdate": startdate, "enddate": enddate})
