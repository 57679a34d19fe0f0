"""`obverse export` and `obverse import`: a channel as one file, and back."""

from __future__ import annotations

import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, DataFolder, NewDataFolder, opened, print_json, refuse
from engine.errors import ChannelExists, ImageError, InvalidValue, ObverseError, QuotaExceeded, StorageError
from engine.threads import processors

if TYPE_CHECKING:
    from engine.upkeep.archives import Archive, Entry

_AT_ONCE = 64


def export_pictures(
    channel: Annotated[str, typer.Option("--channel", help="The channel.")],
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="The file to write, a tar.")],
    data: DataFolder,
    as_json: AsJson = False,
) -> None:
    """Write a channel's kept pictures and all that is known of them into one file.

    The file is whole or not there. `obverse import` and other programs read it."""
    from engine.catalogue import Catalogue
    from engine.upkeep.archives import exported

    if out.exists():
        raise typer.BadParameter(f"{out} exists", param_hint="--out")
    part = out.with_name(f"{out.name}.part")
    with contextlib.closing(Catalogue(data)) as catalogue:
        known = catalogue.channel(channel)
        count = catalogue.count(channel)
        file = part.open("xb")  # another's stays: it is not ours to remove
        try:
            with file:
                for piece in exported(catalogue, known):
                    file.write(piece)
            part.rename(out)
        finally:
            part.unlink(missing_ok=True)
    size = out.stat().st_size
    if as_json:
        print_json({"channel": channel, "out": str(out), "pictures": count, "bytes": size})
    else:
        typer.echo(f"{channel}: {count} pictures, {size / 1e6:.1f} MB")


def import_pictures(
    archive: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A tar (not compressed) or zip.")],
    channel: Annotated[str, typer.Option("--channel", help="The channel to add to; made if missing.")],
    data: NewDataFolder,
    as_json: AsJson = False,
) -> None:
    """Add the pictures of an archive, with what its lists tell of them. Run again, it goes on where it was stopped."""
    from engine.upkeep.archives import Archive

    counts = {"added": 0, "present": 0}
    refused: dict[str, str] = {}
    try:
        with Archive(archive) as source, opened(data, threads=1) as recognizer:
            with contextlib.suppress(ChannelExists):
                recognizer.add_channel(channel)
            known = recognizer.catalogue.channel(channel)

            def add(entry: Entry, image: bytes | ObverseError) -> str | ObverseError:
                from engine.upkeep.archives import add_entry

                if isinstance(image, ObverseError):
                    return image
                try:
                    return "present" if add_entry(recognizer, known, entry, image) is None else "added"
                except (QuotaExceeded, StorageError):  # no later picture would fare better
                    raise
                except ObverseError as error:
                    return error

            with ThreadPoolExecutor(processors()) as pool:
                entries = iter(source.entries)
                while chunk := list(itertools.islice(entries, _AT_ONCE)):
                    limit = recognizer.settings.limits.max_bytes
                    images = [_read(source, entry, limit) for entry in chunk]
                    for entry, outcome in zip(chunk, pool.map(add, chunk, images), strict=True):
                        if isinstance(outcome, str):
                            counts[outcome] += 1
                        else:
                            refused[entry.name] = str(outcome)
                            refuse(entry.name, outcome)
    finally:
        if as_json:
            print_json({"channel": channel, **counts, "refused": refused})
        else:
            typer.echo(f"{channel}: {counts['added']} added, {counts['present']} there already, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


def _read(source: Archive, entry: Entry, limit: int) -> bytes | ObverseError:
    if entry.wrong:
        return InvalidValue(entry.name, entry.wrong)
    try:
        return source.read(entry.name, limit=limit)
    except (ImageError, InvalidValue) as error:
        return error
