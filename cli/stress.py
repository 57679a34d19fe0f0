"""`obverse stress`: how much tilt, blur, darkness, … each method bears."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.options import notices, refuse


def stress(
    pictures: Annotated[
        Path, typer.Argument(metavar="SET", exists=True, file_okay=False, help="A set, or a plain folder of pictures.")
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the run; made, or gone on with.")],
    methods: Annotated[
        str, typer.Option(help="Names separated by commas (default: all but the exhaustive ones).")
    ] = "",
    photos: Annotated[int, typer.Option(min=1, help="Pictures to photograph; each gives 46 photos.")] = 20,
    distractors: Annotated[
        list[Path] | None,
        typer.Option(exists=True, file_okay=False, help="Folder of further pictures; may be repeated."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most pictures to take of each distractors folder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of pictures and of their photos.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each method.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Drop a run of other arguments.")] = False,
) -> None:
    """Photograph pictures by simulation, one factor at a time, and compare methods on the photos."""
    from benchmarks.compare.pictures import gather
    from benchmarks.compare.report import write_report
    from benchmarks.compare.runner import RunSettings, Tell, run
    from benchmarks.compare.scoring import judge_all, read_run, score
    from benchmarks.compare.stress import draw_set, photo_count, write_stress
    from benchmarks.sets import read_set
    from engine.methods import METHODS, find_method

    source = pictures / "refs" if (pictures / "refs").is_dir() else pictures
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        named = [find_method(name.strip()) for name in methods.split(",") if name.strip()]
        chosen = named or [m for m in METHODS if not m.ceiling]
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=notices) as progress:

            def begin(title: str, steps: int) -> None:
                progress.add_task(title, total=steps)

            def step() -> None:
                progress.advance(progress.task_ids[-1])

            begin("photographing", photo_count(photos))
            drawn = draw_set(source, out / "sets" / pictures.resolve().name, photos=photos, seed=seed, step=step)
            progress.update(progress.task_ids[-1], completed=photo_count(photos))  # what was there is not drawn anew
            material = gather([read_set(drawn)], distractors or [], limit=limit)
            for path, reason in material.refused.items():
                refuse(path, reason)
            settings = RunSettings(threads=threads, seed=seed, ceiling_queries=None)
            command = shlex.join(["obverse", *sys.argv[1:]])
            run(out, material, chosen, settings, command=command, tell=Tell(begin, step), overwrite=overwrite)
        write_stress(out, judge_all(out, read_run(out)))
        score(out)
        report = write_report(out)
    except ValueError as error:
        typer.echo(f"obverse: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(report)
