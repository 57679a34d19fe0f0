"""`obverse list`, `changes` and `remove`: a gallery's pictures. They need the catalogue alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from cli.options import AsJson, DataFolder, print_json, refuse
from engine.catalogue import Catalogue, Followed, Picture


def list_pictures(
    data: DataFolder,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Only these (default: all).")] = None,
    as_json: AsJson = False,
) -> None:
    """List pictures with their sizes, levels and thresholds."""
    with contextlib.closing(Catalogue(data)) as catalogue:
        names = [*dict.fromkeys(channel or [])] or [c.name for c in catalogue.channels()]
        pictures = [p for name in names for p in _all_of(catalogue, name)]
    if as_json:
        print_json([{k: v for k, v in asdict(p).items() if k not in ("id", "facts")} for p in pictures])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in ("channel", "identifier", "level", "size", "keypoints", "threshold", "active"):
        table.add_column(title, overflow="fold")
    for p in pictures:
        threshold = "default" if p.threshold is None else f"{p.threshold:g}"
        size = f"{p.width} x {p.height}"
        table.add_row(p.channel, p.identifier, str(p.level), size, str(p.keypoints), threshold, str(p.active).lower())
    Console().print(table)
    typer.echo(f"{len(pictures)} pictures")


def _all_of(catalogue: Catalogue, channel: str) -> Iterator[Picture]:
    step = 10_000
    for offset in range(0, catalogue.count(channel), step):
        yield from catalogue.pictures(channel, offset=offset, limit=step)


def changes(
    data: DataFolder,
    after: Annotated[int, typer.Option(min=0, help="The log's number up to which all is known.")] = 0,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Only these (default: all).")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what was added, changed and removed, by the log's own numbers.

    A replaced image is a removal and an addition. With --json, `next` is the --after of the next call."""
    found: list[Followed] = []
    with contextlib.closing(Catalogue(data)) as catalogue:
        channels = [catalogue.channel(name) for name in channel] if channel else catalogue.channels()
        while True:
            page, last = catalogue.follow(channels, after=after)
            found += page
            if last == after:
                break
            after = last
    if as_json:
        rows = [{**asdict(entry), "channel": entry.channel.name} for entry in found]
        print_json({"changes": rows, "next": after})
        return
    for entry in found:
        named = entry.identifier or f"picture number {entry.picture_id}"
        typer.echo(f"{entry.seq} {entry.kind} {entry.channel.name} {named}")


def remove(
    identifiers: Annotated[list[str], typer.Argument(metavar="IDENTIFIER...", help="Pictures to remove.")],
    channel: Annotated[str, typer.Option("--channel", help="The channel that holds them.")],
    data: DataFolder,
    as_json: AsJson = False,
) -> None:
    """Remove pictures; a running server stops answering with them at once."""
    with contextlib.closing(Catalogue(data)) as catalogue:
        done = {identifier: catalogue.remove_picture(channel, identifier) for identifier in dict.fromkeys(identifiers)}
    for identifier, removed in done.items():
        if not removed:
            refuse(identifier, f"channel {channel!r} has no such picture")
    if as_json:
        print_json({"channel": channel, "removed": [identifier for identifier, removed in done.items() if removed]})
    else:
        typer.echo(f"{channel}: {sum(done.values())} removed")
    if not all(done.values()):
        raise typer.Exit(1)
