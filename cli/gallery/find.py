"""`obverse find`: photographs to answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, DataFolder, notices, opened, print_json, printable, refuse
from engine.errors import ImageError

if TYPE_CHECKING:
    from engine.recognise.answer import Match, Recognition
    from engine.recognizer import Recognizer

Photos = Annotated[
    list[Path],
    typer.Argument(metavar="PHOTO...", help="Photographs; folders of them; - for one from standard input."),
]
STANDARD_INPUT = Path("-")
MOST_PLACES = 50
"""Pictures that are named of a photo which shows several."""


def find(
    photos: Photos,
    data: DataFolder,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Search only these (default: all).")] = None,
    results: Annotated[int, typer.Option(min=1, max=50, help="Most candidates to name for a photo.")] = 3,
    several: Annotated[
        bool, typer.Option("--several", help="Name every picture that a photo shows, each with its place.")
    ] = False,
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="Where there is no answer, try the photo's mirror image, too.")
    ] = False,
    as_json: AsJson = False,
    explain: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Draw photo and picture side by side (PNG; numbered for several photos)."),
    ] = None,
) -> None:
    """Recognise photographs.

    Of a folder all pictures are recognised, as `obverse add` would take them."""
    if explain and explain.suffix.lower() != ".png":
        raise typer.BadParameter("the file must end in .png", param_hint="--explain")
    if mirrored and several:
        raise typer.BadParameter("not together with --several", param_hint="--mirrored")
    from engine.upkeep.bulk_import import reason_of

    rows, refused = [], False
    files = list(_files(photos))
    with opened(data) as recognizer:
        catalogue = recognizer.catalogue
        # Looked up once, so that a misspelt one is refused before any photo is read.
        channels = [catalogue.channel(name) for name in channel] if channel else catalogue.channels()
        for number, (path, left_out) in enumerate(files, start=1):
            try:
                if left_out is not None:
                    raise OSError(left_out)
                photo = _read(path, recognizer.settings.limits.max_bytes)
                if several:
                    found = recognizer.recognise_several(photo, channels, most=MOST_PLACES)
                else:
                    found = recognizer.recognise(photo, channels, k=results, mirrored=mirrored)
            except (ImageError, OSError) as error:
                reason = reason_of(error)
                refuse(path, reason)
                rows.append({"photo": str(path), "error": reason})
                refused = True
                continue
            row = as_row(path, found)
            if explain:
                target = explain if len(files) == 1 else explain.with_stem(f"{explain.stem}-{number}")
                row["explained"] = _explain(recognizer, photo, found, target)
            rows.append(row)
            if not as_json:
                _show(path, found, several=several)
    if as_json:
        print_json(rows)
    if refused:
        raise typer.Exit(1)


def _files(photos: Sequence[Path]) -> Iterator[tuple[Path, str | None]]:
    """Photos in the order asked, a folder's pictures in the place of the folder, with the reasons for those that are
    left out."""
    from engine.upkeep.bulk_import import files_of

    for path in photos:
        if path == STANDARD_INPUT or not _is_folder(path):
            yield path, None
            continue
        files, left_out = files_of([path])
        yield from ((file, None) for file in files)
        yield from left_out.items()
        if not files and not left_out:
            yield path, "no picture is in this folder"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # reading it says why
        return False


def _read(path: Path, most: int) -> bytes:
    """most: of a stream without end no more is taken than shows that it is too much."""
    return sys.stdin.buffer.read(most + 1) if path == STANDARD_INPUT else path.read_bytes()


def as_row(path: Path, found: Recognition) -> dict[str, Any]:
    """A recognition as the JSON output shows it."""
    return {
        "photo": str(path),
        "photo_size": list(found.photo_size),
        "mirrored": found.mirrored,
        "answer": as_match(found.answer) if found.answer else None,
        "results": [as_match(match) for match in found.results],
        "timings_ms": found.timings_ms,
    }


def as_match(match: Match) -> dict[str, Any]:
    return {
        "identifier": match.picture.identifier,
        "channel": match.picture.channel,
        "match_ratio": match.match_ratio,
        "accepted": match.accepted,
        "quad": [[round(float(x), 1), round(float(y), 1)] for x, y in match.quad],
        "inliers": match.inliers,
        "reason": match.reason,
        "because": match.because,
        "cells": match.letters,
        "figures": {name: round(float(value), 4) for name, value in match.figures.items()},
        "metadata": match.picture.metadata,
    }


def _explain(recognizer: Recognizer, photo: bytes, found: Recognition, target: Path) -> str | None:
    """Draws the answer, or the best candidate where there is none; gives the file, None without a candidate."""
    best = found.answer or (found.results[0] if found.results else None)
    if best is None:
        notices().print(f"nothing to draw into {printable(target)}: no picture came near", markup=False)
        return None
    target.write_bytes(recognizer.explain(photo, best))
    return str(target)


def _show(path: Path, found: Recognition, *, several: bool) -> None:
    photo = printable(path)
    spent = sum(found.timings_ms.values())
    if several and len(found.results) > 1:
        named = ", ".join(f"{m.picture.identifier} in {m.picture.channel} {m.match_ratio:.1f}" for m in found.results)
        typer.echo(f"{photo}: {named} ({spent:.0f} ms)")
    elif found.answer:
        named = f"{found.answer.picture.identifier} in {found.answer.picture.channel}"
        how = ", mirrored" if found.mirrored else ""
        typer.echo(f"{photo}: {named}, match ratio {found.answer.match_ratio:.1f}{how} ({spent:.0f} ms)")
    elif found.results:
        near = ", ".join(f"{m.picture.identifier} {m.match_ratio:.1f}" for m in found.results)
        why = found.results[0].because
        typer.echo(f"{photo}: no answer; nearest: {near}; why not the first: {why} ({spent:.0f} ms)")
    else:
        typer.echo(f"{photo}: no answer ({spent:.0f} ms)")
