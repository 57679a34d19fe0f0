"""`obverse stress`: how much tilt, blur, darkness, … each method bears."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.options import printable, refuse
from cli.research.progress import bars
from cli.research.reports import write_report


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
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of pictures and of their photos.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each method.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Drop a run of other arguments.")] = False,
) -> None:
    """Photograph pictures by simulation, one factor at a time, and compare methods on the photos."""
    from benchmarks.compare.material import gather
    from benchmarks.compare.methods import METHODS, find_method
    from benchmarks.compare.run.runner import run
    from benchmarks.compare.score.reading import judge_all, read_run
    from benchmarks.compare.score.results import score
    from benchmarks.compare.score.stress import write_stress
    from benchmarks.compare.settings import RunSettings
    from benchmarks.compare.stress_set import draw_set
    from benchmarks.sets import read_set

    source = pictures / "refs" if (pictures / "refs").is_dir() else pictures
    named = [find_method(name.strip()) for name in methods.split(",") if name.strip()]
    chosen = named or [m for m in METHODS if not m.ceiling]
    with bars() as tell:
        drawn = draw_set(source, out / "sets" / pictures.resolve().name, photos=photos, seed=seed, tell=tell)
        material = gather([read_set(drawn)], distractors or [], limit=limit)
        for path, reason in material.refused.items():
            refuse(path, reason)
        settings = RunSettings(threads=threads, seed=seed, ceiling_queries=None)
        command = shlex.join(["obverse", *sys.argv[1:]])
        run(out, material, chosen, settings, command=command, tell=tell, overwrite=overwrite)
    write_stress(out, judge_all(out, read_run(out)))
    score(out)
    report = write_report(out)
    typer.echo(printable(report))
