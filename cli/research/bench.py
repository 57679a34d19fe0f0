"""`obverse bench`: speed and growth of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, engine_settings, print_json, whole_numbers

bench_app = typer.Typer(no_args_is_help=True)


@bench_app.callback()
def bench() -> None:
    """Measure speed and growth."""


@bench_app.command("scale")
def scale(
    pictures: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Real pictures; 1,000 are plenty.")],
    sizes: Annotated[
        str, typer.Option(help="Pictures of the galleries, separated by commas.")
    ] = "10000,100000,1000000",
    votes_only: Annotated[str, typer.Option(help="Sizes at which the votes alone are measured.")] = "",
    photos: Annotated[int, typer.Option(min=1, help="Photos to search with.")] = 40,
    work: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Where the indexes find room (default: temporary)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Latency, memory and disk of galleries of growing size, made of real pictures' keypoints."""
    marks, alone = whole_numbers(sizes), whole_numbers(votes_only) if votes_only else []
    from benchmarks.speed.scale import run_scale
    from engine.threads import one_thread_each

    with one_thread_each():
        found = run_scale(pictures, sizes=marks, votes_only=alone, photos=photos, work=work, settings=engine_settings())
    if as_json:
        print_json(found)
        return
    from rich.console import Console
    from rich.table import Table

    for title in ("sizes", "votes_only"):
        for row in found[title]:
            table = Table(show_header=False, title=title, title_justify="left")
            for name, value in row.items():
                table.add_row(name, str(value))
            Console().print(table)
