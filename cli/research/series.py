"""`obverse series`: a set of made series to measure and to fit on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, print_json, printable


def series(
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURES...", exists=True, file_okay=False, help="Folders of pictures, one of a kind."),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the set; made, or empty.")],
    photos: Annotated[int, typer.Option(min=2, help="Pictures to take; each gives one photo.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice, the sisters and the photos.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make a set of simulated photos of pictures whose sisters are in the gallery, too."""
    from benchmarks.accuracy.series_set import draw_series

    made = draw_series(pictures, out, photos=photos, seed=seed)
    if as_json:
        print_json({"folder": str(out), "photos": made})
    else:
        typer.echo(f"{printable(out)}: {made} photos")
