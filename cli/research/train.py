"""`obverse train`: a descriptor of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import notices, printable
from cli.research.extras import needed_extra
from cli.research.progress import share_bar
from engine.errors import ResearchError


def train(
    data: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="Folder of pictures (flat ones: covers, posters, labels)."),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for pairs, checkpoint and model.")],
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Training settings as TOML: docs/cli.md.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from OUT/checkpoint.pt, if it is there.")] = False,
    start: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Weights of another training to begin with.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="A model's folder, to learn its descriptors, too.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Longest training time.")] = None,
    pairs: Annotated[int, typer.Option(min=1_000, help="Pairs of patches to learn from.")] = 400_000,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that make pairs (default: one per core).")
    ] = None,
    on_device: Annotated[
        bool | None,
        typer.Option(
            "--on-device/--in-processes",
            help="Where pairs are made: fresh ones for each step where the network trains, or PAIRS beforehand by "
            "PROCESSES (default: on the device if it is a GPU).",
        ),
    ] = None,
    comparator: Annotated[
        bool,
        typer.Option(
            "--comparator", help="Train the network that compares prints; its data is COMPARISONS, not pairs."
        ),
    ] = False,
    comparisons: Annotated[int, typer.Option(min=100, help="Comparisons that a comparator learns from.")] = 12_000,
) -> None:
    """Train the patch descriptor, or the comparator, on a folder of pictures. Needs the `train` extra."""
    from engine.threads import processors
    from training.pipeline import Plan, has_gpu, read_settings, run

    with needed_extra("train"):
        try:
            settings = read_settings(config, comparator=comparator, minutes=minutes)
        except ResearchError as error:
            raise typer.BadParameter(str(error), param_hint="--config") from error
        if comparator:
            if resume or teacher or on_device is not None:
                raise typer.BadParameter("--resume, --teacher and --on-device are of the patch descriptor's training")
            _train_comparator(
                data, out, settings, start=start, comparisons=comparisons, processes=processes or processors()
            )
            return
        plan = Plan(
            data=data,
            out=out,
            pairs=pairs,
            processes=processes or processors(),
            resume=resume,
            start=start,
            teacher=teacher,
            on_device=has_gpu() if on_device is None else on_device,
        )
        with share_bar("training") as watch:
            card = run(plan, settings, tell=notices().print, watch=watch)
    typer.echo(
        f"{printable(out / 'model')}: {card['name']}, {card['parameters']} parameters; use it with the `model` setting"
    )


def _train_comparator(
    data: Path, out: Path, settings: Any, *, start: Path | None, comparisons: int, processes: int
) -> None:
    from engine.settings import DEFAULT_MODEL
    from training.comparator.pipeline import ComparatorPlan, run

    plan = ComparatorPlan(
        data=data, out=out, comparisons=comparisons, processes=processes, model=DEFAULT_MODEL, start=start
    )
    with share_bar("training") as watch:
        card = run(plan, settings, tell=notices().print, watch=watch)
    right = card["held_out"]["right"]
    typer.echo(
        f"{printable(out / 'comparator')}: {card['parameters']} parameters, {right:.1%} of held-out cells right; "
        "the `comparator` setting takes the folder"
    )
