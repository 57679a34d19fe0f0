"""Options that several commands share, and how they open a gallery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from engine.catalogue.sqlite import DATABASE_NAME
from engine.settings import EngineSettings, ImageLimits

FORMATS = ("JPEG", "PNG", "WebP")
"""What the command line accepts; the service's contracts allow the first two only."""
notices = Console(stderr=True, highlight=False, soft_wrap=True)
"""For people: progress, refusals, summaries. What a script reads goes to stdout alone."""


def _existing_gallery(folder: Path) -> Path:
    """Reading must not leave an empty gallery behind where a name was misspelt."""
    if not (folder / DATABASE_NAME).is_file():
        raise typer.BadParameter(f"{folder} holds no gallery; `obverse add` makes one")
    return folder


DataFolder = Annotated[
    Path,
    typer.Option(
        "--data", envvar="OBVERSE_DATA", file_okay=False, callback=_existing_gallery, help="Data folder of a gallery."
    ),
]
NewDataFolder = Annotated[
    Path, typer.Option("--data", envvar="OBVERSE_DATA", file_okay=False, help="Data folder; made if missing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings(**changes: Any) -> EngineSettings:
    """The engine's settings of the command line."""
    return EngineSettings(limits=ImageLimits(formats=FORMATS), **changes)


def refuse(subject: object, reason: object) -> None:
    """One line on stderr about an input that is left out, in plain text however long it is."""
    typer.echo(f"refused {subject}: {reason}", err=True)


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False))
