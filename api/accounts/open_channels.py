"""Channels that anybody may try without signing in, on the page /try. A row of the catalogue's table of facts each: a
channel's number is never used again, so that what is left of a removed one means nothing."""

from __future__ import annotations

from engine.catalogue import Catalogue, Channel


def is_open(catalogue: Catalogue, channel: Channel) -> bool:
    """Whether anybody may try it."""
    return catalogue.read_meta(_key(channel)) == "on"


def set_open(catalogue: Catalogue, channel: Channel, *, to_all: bool) -> None:
    """Takes effect in the server's next request. Raises the StorageErrors."""
    catalogue.write_meta(_key(channel), "on" if to_all else "off")


def _key(channel: Channel) -> str:
    return f"console.try.{channel.id}"
