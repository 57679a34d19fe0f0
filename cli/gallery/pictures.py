"""`obverse add`, `find`, `list`, `remove`, `info`: a gallery and its photographs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.options import AsJson, DataFolder, NewDataFolder, notices, print_json, refuse, settings
from cli.prediction import in_words, predict
from engine.catalogue import Catalogue, Picture
from engine.errors import ChannelExists, GalleryError, ImageError, QuotaExceeded
from engine.upkeep.bulk_import import Planned, files_of, plan, sha256

if TYPE_CHECKING:
    # `obverse list` and `remove` need the catalogue alone: the engine's import takes a second.
    from engine.recognise.answer import Match, Recognition
    from engine.recognizer import Recognizer

Photos = Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photographs: JPEG, PNG or WebP.")]
_CHUNK = 1000
"""Files that are handed to the workers at a time: a million waiting tasks would take a gigabyte."""


# Adding


@dataclass
class Summary:
    """What became of the files of one import. refused: reason by path; numbered: identifier by path."""

    added: int = 0
    skipped: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    numbered: dict[str, str] = field(default_factory=dict)


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
    from engine.recognizer import Recognizer

    files, missing = files_of(paths)
    workers = workers or len(os.sched_getaffinity(0))
    summary = Summary()
    for path in missing:
        _refused(summary, path, "no such file or folder")
    with Recognizer.open_shared(data, settings(threads=1 if workers > 1 else 2)) as recognizer:
        _ensure_channel(recognizer, channel)
        planned = plan(files, (p for p in recognizer.catalogue.all_pictures() if p.channel == channel))
        _announce(recognizer, planned)
        with _progress() as progress:
            task = progress.add_task("adding", total=len(planned))
            for item, outcome in add_all(recognizer, channel, planned, workers=workers):
                _note(summary, item, outcome)
                progress.advance(task)
    _summarise(summary, channel, as_json=as_json)
    if summary.refused:
        raise typer.Exit(1)


def add_all(
    recognizer: Recognizer, channel: str, planned: Sequence[Planned], *, workers: int
) -> Iterator[tuple[Planned, Picture | str | None]]:
    """Each file with its picture, None where it was there already, or the reason why it is refused."""

    def one(item: Planned) -> Picture | str | None:
        try:
            content = item.path.read_bytes()
            if item.known_sha256 is not None:
                changed = f"changed since it was added as {item.identifier}; remove that first"
                return None if sha256(content) == item.known_sha256 else changed
            return recognizer.add(channel, item.identifier, content, facts=item.facts(content))
        except (ImageError, GalleryError, OSError) as error:
            if isinstance(error, QuotaExceeded):
                raise  # no later file will fare better
            return _reason(error)

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(planned), _CHUNK):
            chunk = planned[start : start + _CHUNK]
            yield from zip(chunk, pool.map(one, chunk), strict=True)


def _reason(error: Exception) -> str:
    """Without the file's name, which stands before it in the line."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _ensure_channel(recognizer: Recognizer, name: str) -> None:
    try:
        recognizer.add_channel(name)
    except ChannelExists:
        return
    notices.print(f"made channel {name}")


def _announce(recognizer: Recognizer, planned: Sequence[Planned]) -> None:
    """Tells memory and disk before a bulk import begins."""
    new = sum(item.known_sha256 is None for item in planned)
    if not new:
        return
    needed = predict(
        recognizer.folder,
        present=sum(recognizer.catalogue.counts().values()),
        new=new,
        global_dimension=recognizer.model.vocabulary.global_dimension,
        keep_pictures=recognizer.settings.keep_pictures,
    )
    notices.print(
        f"{new} new pictures: about {in_words(needed.disk)} more on disk ({in_words(needed.free)} free), "
        f"indexes of {in_words(needed.memory)} in all"
    )
    if not needed.fits:
        notices.print("warning: the disk will be full before the end; what was added until then stays")


def _note(summary: Summary, item: Planned, outcome: Picture | str | None) -> None:
    if isinstance(outcome, str):
        _refused(summary, item.path, outcome)
    elif outcome is None:
        summary.skipped += 1
    else:
        summary.added += 1
        if item.numbered:
            summary.numbered[str(item.path)] = item.identifier
            notices.print(f"named {item.path}: {item.identifier}, the name was taken", markup=False)


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


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=notices, transient=True)


# Finding


def find(
    photos: Photos,
    data: DataFolder,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Search only these (default: all).")] = None,
    results: Annotated[int, typer.Option(min=1, max=50, help="Most candidates to name for a photo.")] = 3,
    as_json: AsJson = False,
    explain: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Draw photo and picture side by side (PNG; numbered for several photos)."),
    ] = None,
) -> None:
    """Recognise photographs."""
    from engine.recognizer import Recognizer

    if explain and explain.suffix.lower() != ".png":
        raise typer.BadParameter("the file must end in .png", param_hint="--explain")
    rows, refused = [], False
    with Recognizer.open_shared(data, settings()) as recognizer:
        channels = channel or [c.name for c in recognizer.catalogue.channels()]
        for name in channels:
            recognizer.catalogue.channel(name)  # a misspelt one is refused before any photo is read
        for number, path in enumerate(photos, start=1):
            try:
                photo = path.read_bytes()
                found = recognizer.recognise(photo, channels, k=results)
            except (ImageError, OSError) as error:
                reason = _reason(error)
                refuse(path, reason)
                rows.append({"photo": str(path), "error": reason})
                refused = True
                continue
            row = as_row(path, found)
            if explain:
                target = explain if len(photos) == 1 else explain.with_stem(f"{explain.stem}-{number}")
                row["explained"] = _explain(recognizer, photo, found, target)
            rows.append(row)
            if not as_json:
                _show(path, found)
    if as_json:
        print_json(rows)
    if refused:
        raise typer.Exit(1)


def as_row(path: Path, found: Recognition) -> dict[str, Any]:
    """A recognition as the JSON output shows it."""
    return {
        "photo": str(path),
        "photo_size": list(found.photo_size),
        "answer": _as_json(found.answer) if found.answer else None,
        "results": [_as_json(match) for match in found.results],
        "timings_ms": found.timings_ms,
    }


def _as_json(match: Match) -> dict[str, Any]:
    return {
        "identifier": match.picture.identifier,
        "channel": match.picture.channel,
        "match_ratio": match.match_ratio,
        "accepted": match.accepted,
        "quad": [[round(float(x), 1), round(float(y), 1)] for x, y in match.quad],
        "inliers": match.inliers,
        "figures": {name: round(float(value), 4) for name, value in match.figures.items()},
        "metadata": match.picture.metadata,
    }


def _explain(recognizer: Recognizer, photo: bytes, found: Recognition, target: Path) -> str | None:
    """Draws the answer, or the best candidate where there is none; gives the file, None without a candidate."""
    from engine.recognise.explain import explained

    best = found.answer or (found.results[0] if found.results else None)
    if best is None:
        notices.print(f"nothing to draw into {target}: no picture came near", markup=False)
        return None
    target.write_bytes(explained(recognizer, photo, best))
    return str(target)


def _show(path: Path, found: Recognition) -> None:
    spent = sum(found.timings_ms.values())
    if found.answer:
        named = f"{found.answer.picture.identifier} in {found.answer.picture.channel}"
        typer.echo(f"{path}: {named}, match ratio {found.answer.match_ratio:.1f} ({spent:.0f} ms)")
    elif found.results:
        near = ", ".join(f"{m.picture.identifier} {m.match_ratio:.1f}" for m in found.results)
        typer.echo(f"{path}: no answer; nearest: {near} ({spent:.0f} ms)")
    else:
        typer.echo(f"{path}: no answer ({spent:.0f} ms)")


# Looking after a gallery


def list_pictures(
    data: DataFolder,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Only these (default: all).")] = None,
    as_json: AsJson = False,
) -> None:
    """List pictures with their sizes, levels and thresholds."""
    catalogue = Catalogue(data)
    try:
        names = channel or [c.name for c in catalogue.channels()]
        pictures = [p for name in names for p in _all_of(catalogue, name)]
    finally:
        catalogue.close()
    if as_json:
        print_json([{k: v for k, v in asdict(p).items() if k not in ("id", "facts")} for p in pictures])
        return
    table = Table()
    for title in ("channel", "identifier", "level", "size", "keypoints", "threshold", "active"):
        table.add_column(title, overflow="fold")
    for p in pictures:
        threshold = "default" if p.threshold is None else f"{p.threshold:g}"
        size = f"{p.width} x {p.height}"
        table.add_row(p.channel, p.identifier, str(p.level), size, str(p.keypoints), threshold, str(p.active).lower())
    Console().print(table)
    typer.echo(f"{len(pictures)} pictures")


def _all_of(catalogue: Catalogue, channel: str) -> Iterator[Picture]:
    step = 10_000
    for offset in range(0, catalogue.count(channel), step):
        yield from catalogue.pictures(channel, offset=offset, limit=step)


def remove(
    identifiers: Annotated[list[str], typer.Argument(metavar="IDENTIFIER...", help="Pictures to remove.")],
    channel: Annotated[str, typer.Option("--channel", help="The channel that holds them.")],
    data: DataFolder,
    as_json: AsJson = False,
) -> None:
    """Remove pictures; a running server stops answering with them at once."""
    catalogue = Catalogue(data)
    try:
        done = {identifier: catalogue.remove_picture(channel, identifier) for identifier in dict.fromkeys(identifiers)}
    finally:
        catalogue.close()
    for identifier, removed in done.items():
        if not removed:
            refuse(identifier, f"channel {channel!r} has no such picture")
    if as_json:
        print_json({"channel": channel, "removed": [identifier for identifier, removed in done.items() if removed]})
    else:
        typer.echo(f"{channel}: {sum(done.values())} removed")
    if not all(done.values()):
        raise typer.Exit(1)


def info(data: DataFolder, as_json: AsJson = False) -> None:
    """Show counts, sizes, the model's fingerprint, and the indexes' kinds and freshness."""
    from cli.gallery.info import condition, show_condition

    found = condition(data, settings())
    if as_json:
        print_json(found)
    else:
        show_condition(found)
