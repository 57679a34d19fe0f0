"""`obverse demo`: a gallery, photographs of it by simulation, and what recognition says of them. Nothing to bring."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.demo.posters import name_of, poster
from cli.gallery.pictures import add_all
from cli.options import notices, refuse, settings
from engine.catalogue import Picture
from engine.errors import ChannelExists, InvalidValue
from engine.image import decode, encode_jpeg
from engine.recognise.answer import Recognition
from engine.recognise.explain import explained
from engine.recognizer import Recognizer
from engine.upkeep.bulk_import import files_of, plan
from training.simulation.photographs import simulate

CHANNEL = "demo"
STRENGTH = 0.6
"""Of the simulation: a willing photographer in poor light; 1 is the hardest that training draws."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A simulated photo: which picture it shows, its file, and what was found in it."""

    identifier: str
    file: Path
    found: Recognition

    @property
    def right(self) -> bool:
        return self.found.answer is not None and self.found.answer.picture.identifier == self.identifier


def demo(
    pictures: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Your own pictures (default: drawn posters).")
    ] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for gallery, photos and drawings.")] = Path("demo"),
    count: Annotated[int, typer.Option(min=2, max=100_000, help="Most pictures to use.")] = 200,
    photos: Annotated[int, typer.Option(min=1, max=1000, help="Photos to simulate.")] = 12,
    serve: Annotated[bool, typer.Option("--serve", help="Then serve the gallery, with a user of its own.")] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8000; 0: any free one).")] = None,
) -> None:
    """Fill a gallery, photograph some of its pictures by simulation, recognise them, draw the reasons."""
    files = files_of([pictures])[0][:count] if pictures else draw_posters(out / "posters", count)
    with Recognizer.open_shared(out / "data", settings()) as recognizer:
        chosen = fill(recognizer, files)
        recognizer.warm_up()
        shots = photograph(recognizer, chosen, out / "photos", number=photos)
        drawn = explain_all(recognizer, shots, out / "explained")
    _show(shots)
    right = sum(shot.right for shot in shots)
    typer.echo(f"{right} of {len(shots)} photos named rightly; {drawn} explained pictures in {out / 'explained'}")
    if serve:
        from cli.demo.serving import serve_demo

        serve_demo(out, shots, host=host, port=port)


def draw_posters(folder: Path, count: int) -> list[Path]:
    """Files of the first `count` posters; those that are there already are not drawn again."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in track(range(count), "drawing posters", console=notices, transient=True):
        path = folder / f"{name_of(number)}.jpg"
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_bytes(encode_jpeg(poster(number), quality=92))
            part.replace(path)
        files.append(path)
    return files


def fill(recognizer: Recognizer, files: list[Path]) -> list[tuple[str, Path]]:
    """Adds the files that are not there yet; gives identifier and file of all that are. Raises InvalidValue
    where that is none."""
    try:
        recognizer.add_channel(CHANNEL)
    except ChannelExists:
        notices.print("the demo's channel is there already")
    planned = plan(files, (p for p in recognizer.catalogue.all_pictures() if p.channel == CHANNEL))
    present = []
    adding = add_all(recognizer, CHANNEL, planned, workers=len(os.sched_getaffinity(0)))
    for item, outcome in track(adding, "adding", total=len(planned), console=notices, transient=True):
        if isinstance(outcome, str):
            refuse(item.path, outcome)
        else:
            present.append((outcome.identifier if isinstance(outcome, Picture) else item.identifier, item.path))
    if not present:
        raise InvalidValue("--pictures", "the folder holds no picture that can be used")
    typer.echo(f"{len(present)} pictures in channel {CHANNEL} of {recognizer.folder}")
    return present


def photograph(recognizer: Recognizer, chosen: list[tuple[str, Path]], folder: Path, *, number: int) -> list[Shot]:
    """Photos of evenly chosen pictures, the same in every run, and what is found in them. Posters that no gallery
    holds lie around them: a second picture of the gallery would be a right answer too."""
    folder.mkdir(parents=True, exist_ok=True)
    picked = np.linspace(0, len(chosen) - 1, min(number, len(chosen))).astype(int)
    shots = []
    for turn, row in enumerate(track(picked, "photographing", console=notices, transient=True)):
        rng = np.random.default_rng([3, turn])
        identifier, path = chosen[row]
        others = [poster(number) for number in 100_000 + rng.integers(0, 100_000, 2)]
        picture = decode(path.read_bytes(), long_side=640, limits=recognizer.settings.limits)[0]
        photo, _ = simulate(picture, others, rng, strength=STRENGTH, uneven=False)
        file = folder / f"photo-{turn + 1:02d}.jpg"
        file.write_bytes(encode_jpeg(photo))
        shots.append(Shot(identifier=identifier, file=file, found=recognizer.recognise(file.read_bytes(), [CHANNEL])))
    return shots


def explain_all(recognizer: Recognizer, shots: list[Shot], folder: Path) -> int:
    """Draws what was found; gives how many there was something to draw for."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for shot in shots:
        best = next(iter(shot.found.results), None)
        if best is not None:
            target = folder / shot.file.with_suffix(".png").name
            target.write_bytes(explained(recognizer, shot.file.read_bytes(), best))
            drawn += 1
    return drawn


def _show(shots: list[Shot]) -> None:
    table = Table("photo", "shows", "answer", "match ratio", "ms")
    for shot in shots:
        answer = shot.found.answer
        named = "(none)" if answer is None else answer.picture.identifier
        ratio = f"{answer.match_ratio:.1f}" if answer else ""
        spent = f"{sum(shot.found.timings_ms.values()):.0f}"
        table.add_row(shot.file.name, shot.identifier, named if shot.right else f"[red]{named}[/red]", ratio, spent)
    Console().print(table)
