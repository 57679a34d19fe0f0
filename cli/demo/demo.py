"""`obverse demo`: a gallery, photographs of it by simulation, and what recognition says of them. Nothing to bring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import notices, opened, printable, refuse
from engine.errors import ChannelExists, InvalidValue

if TYPE_CHECKING:
    from cli.demo.shots import Shot
    from engine.recognizer import Recognizer


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
    from cli.demo.shots import explain_all, photograph
    from engine.upkeep.bulk_import import files_of

    files = files_of([pictures])[0][:count] if pictures else draw_posters(out / "posters", count)
    with opened(out / "data") as recognizer:
        chosen = fill(recognizer, files)
        recognizer.warm_up()
        shots = photograph(recognizer, chosen, out / "photos", number=photos)
        drawn = explain_all(recognizer, shots, out / "explained")
    _show(shots)
    right = sum(shot.right for shot in shots)
    typer.echo(
        f"{right} of {len(shots)} photos named rightly; {drawn} explained pictures in {printable(out / 'explained')}"
    )
    if serve:
        from cli.demo.serving import serve_demo

        serve_demo(out, shots, host=host, port=port)


def draw_posters(folder: Path, count: int) -> list[Path]:
    """Files of the first `count` posters; those that are there already are not drawn again."""
    from rich.progress import track

    from cli.demo.posters import name_of, poster
    from engine.image import encode_jpeg

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in track(range(count), "drawing posters", console=notices(), transient=True):
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
    from rich.progress import track

    from cli.demo.shots import CHANNEL
    from engine.threads import processors
    from engine.upkeep.bulk_import import Refused, add_all, plan, present_in

    try:
        recognizer.add_channel(CHANNEL)
    except ChannelExists:
        notices().print("the demo's channel is there already")
    planned = plan(files, present_in(recognizer, CHANNEL))
    present = []
    adding = add_all(recognizer, CHANNEL, planned, workers=processors())
    for item, outcome in track(adding, "adding", total=len(planned), console=notices(), transient=True):
        if isinstance(outcome, Refused):
            refuse(item.path, outcome.reason)
        else:
            present.append((item.identifier, item.path))
    if not present:
        raise InvalidValue("--pictures", "the folder holds no picture that can be used")
    typer.echo(f"{len(present)} pictures in channel {CHANNEL} of {printable(recognizer.folder)}")
    return present


def _show(shots: Sequence[Shot]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("photo", "shows", "answer", "match ratio", "ms")
    for shot in shots:
        answer = shot.found.answer
        named = "(none)" if answer is None else answer.picture.identifier
        ratio = f"{answer.match_ratio:.1f}" if answer else ""
        spent = f"{sum(shot.found.timings_ms.values()):.0f}"
        table.add_row(shot.file.name, shot.identifier, named if shot.right else f"[red]{named}[/red]", ratio, spent)
    Console().print(table)
