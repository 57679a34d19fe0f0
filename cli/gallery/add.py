"""`obverse add`: files and folders of pictures into a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, NewDataFolder, in_words, notices, opened, print_json, refuse
from engine.errors import ChannelExists, ObverseError

if TYPE_CHECKING:
    from rich.progress import Progress

    from engine.catalogue import Picture
    from engine.recognizer import Recognizer
    from engine.upkeep.bulk_import import Planned, Refused


@dataclass
class Summary:
    """What became of the files of one import."""

    added: int = 0
    skipped: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    """Reasons by path."""
    numbered: dict[str, str] = field(default_factory=dict)
    """Identifiers by path of the files whose name was taken."""
    stopped: str | None = None
    """Why the import ended before the last file."""


def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, or folders of them.")],
    channel: Annotated[str, typer.Option("--channel", help="Channel to add to; made if missing.")],
    data: NewDataFolder,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Pictures read at the same time (default: one per core).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add pictures to a channel. Run again, it goes on where it was stopped.

    The file's name becomes the identifier; a file that was added before is skipped."""
    from engine.threads import processors
    from engine.upkeep.bulk_import import add_all, files_of, plan, present_in

    workers = workers or processors()
    summary = Summary()
    with _progress() as progress:
        task = progress.add_task("looking for pictures", total=None)
        files, left_out = files_of(paths)
        progress.remove_task(task)
    for path, reason in left_out.items():
        _refused(summary, path, reason)
    with opened(data, threads=1 if workers > 1 else 2) as recognizer:
        _ensure_channel(recognizer, channel)
        with _progress() as progress:
            task = progress.add_task("naming", total=len(files))
            planned = plan(files, present_in(recognizer, channel), tell=lambda: progress.advance(task))
            progress.remove_task(task)
        _announce(recognizer, planned)
        try:
            with _progress() as progress:
                task = progress.add_task("adding", total=len(planned))
                for item, outcome in add_all(recognizer, channel, planned, workers=workers):
                    _note(summary, item, outcome)
                    progress.advance(task)
        except ObverseError as error:  # a full channel or disk: what was added until then stays, and is told
            summary.stopped = str(error)
            raise
        finally:
            _summarise(summary, channel, as_json=as_json)
    if summary.refused:
        raise typer.Exit(1)


def _ensure_channel(recognizer: Recognizer, name: str) -> None:
    try:
        recognizer.add_channel(name)
    except ChannelExists:
        return
    notices().print(f"made channel {name}")


def _announce(recognizer: Recognizer, planned: Sequence[Planned]) -> None:
    """Tells memory and disk before a bulk import begins."""
    from engine.upkeep.bulk_import import predict

    new = sum(item.known_sha256 is None for item in planned)
    if not new:
        return
    needed = predict(recognizer, new=new)
    notices().print(
        f"{new} new pictures: about {in_words(needed.disk)} more on disk ({in_words(needed.free)} free), "
        f"indexes of {in_words(needed.memory)} in all"
    )
    if not needed.fits:
        notices().print("warning: the disk will be full before the end; what was added until then stays")


def _note(summary: Summary, item: Planned, outcome: Picture | Refused | None) -> None:
    from engine.upkeep.bulk_import import Refused

    if isinstance(outcome, Refused):
        _refused(summary, item.path, outcome.reason)
    elif outcome is None:
        summary.skipped += 1
    else:
        summary.added += 1
        if item.numbered:
            summary.numbered[str(item.path)] = item.identifier
            notices().print(f"named {item.path}: {item.identifier}, the name was taken", markup=False)


def _refused(summary: Summary, path: Path, reason: str) -> None:
    summary.refused[str(path)] = reason
    refuse(path, reason)


def _summarise(summary: Summary, channel: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"channel": channel, **asdict(summary)})
        return
    parts = [f"{summary.added} added", f"{summary.skipped} there already", f"{len(summary.refused)} refused"]
    if summary.numbered:
        parts.append(f"{len(summary.numbered)} numbered")
    typer.echo(f"{channel}: {', '.join(parts)}")


def _progress() -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    return Progress(*columns, console=notices(), transient=True)
