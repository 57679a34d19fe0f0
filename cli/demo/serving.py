"""The demo's gallery over HTTP: a user, its channel, and a command line that shows an answer."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import typer

from api.accounts.store import Accounts, KeyPair
from api.edge.logs import configure_logging
from api.server import run_server
from api.settings import load_settings
from cli.demo.shots import CHANNEL, Shot
from engine.catalogue import Catalogue

USER = "demo"


def serve_demo(out: Path, shots: Sequence[Shot], *, host: str | None, port: int | None) -> None:
    """Serves OUT/data until a signal."""
    settings = load_settings(host=host, port=port)
    configure_logging(settings)
    keys = _account(out)
    photo = next((shot.file for shot in shots if shot.right), shots[0].file)

    def tell(address: str, _: str | None) -> None:
        typer.echo(f"Obverse listens on {address} (Ctrl-C stops it). Ask it, from another terminal:\n")
        typer.echo(f"{_curl(address, keys, photo)}\n")
        typer.echo(f"Or look at it in a browser, with the keys of {out / 'keys.json'}: {address}/console\n")

    raise typer.Exit(run_server(out / "data", settings, tell=tell))


def _curl(address: str, keys: KeyPair, photo: Path) -> str:
    fields = {
        "username": keys.username,
        "secretkey": keys.secretkey,
        "channel": CHANNEL,
        "image": f"@{photo.resolve()}",
    }
    parts = " ".join(f"-F {shlex.quote(f'{name}={value}')}" for name, value in fields.items())
    return f"curl -s {parts} {address}/FindImage"


def _account(out: Path) -> KeyPair:
    """The demo user's key pair, made at the first start with the channel as its own. Secrets cannot be read back,
    so that OUT/keys.json, readable by its owner alone, remembers this one."""
    file = out / "keys.json"
    with contextlib.closing(Catalogue(out / "data")) as catalogue:
        accounts = Accounts(catalogue.database)
        known = USER in {user.name for user in accounts.users()}
        if known and file.exists():
            return KeyPair(**json.loads(file.read_text()))
        keys = (accounts.rotate_keys(USER) if known else accounts.add_user(USER)).full
        catalogue.update_channel(CHANNEL, owner=accounts.user(USER).id, quota=None)
    content = json.dumps({"username": keys.username, "secretkey": keys.secretkey})
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as target:
        target.write(content)
    return keys
