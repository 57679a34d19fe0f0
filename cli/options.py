"""Options that several commands share, how they open a gallery, and how they speak to people and to scripts.

Nothing heavy is imported before it is needed: `obverse list` needs the catalogue alone.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.settings import FORMATS, EngineSettings, ImageLimits

if TYPE_CHECKING:
    from rich.console import Console

    from engine.recognizer import Recognizer


def existing_gallery(folder: Path) -> Path:
    """Reading must not leave an empty gallery behind where a name was misspelt."""
    from engine.catalogue.sqlite import DATABASE_NAME, check_not_lost

    if not (folder / DATABASE_NAME).is_file():
        check_not_lost(folder)
        raise typer.BadParameter(f"{folder} holds no gallery; `obverse add` makes one")
    return folder


DataFolder = Annotated[
    Path,
    typer.Option(
        "--data", envvar="OBVERSE_DATA", file_okay=False, callback=existing_gallery, help="Data folder of a gallery."
    ),
]
NewDataFolder = Annotated[
    Path, typer.Option("--data", envvar="OBVERSE_DATA", file_okay=False, help="Data folder; made if missing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def engine_settings(**changes: Any) -> EngineSettings:
    """The engine's settings of the command line."""
    return EngineSettings(limits=ImageLimits(formats=FORMATS), **changes)


@contextlib.contextmanager
def opened(data: Path, *, shared: bool = True, **changes: Any) -> Iterator[Recognizer]:
    """The gallery in `data`, with the libraries' own pools at one thread each, as the engine wants it.

    shared: beside another process that holds the folder; without it that one is refused. changes: of the settings.
    """
    from engine.recognizer import Recognizer
    from engine.threads import one_thread_each

    open_gallery = Recognizer.open_shared if shared else Recognizer.open
    with one_thread_each(), open_gallery(data, engine_settings(**changes)) as recognizer:
        yield recognizer


@functools.cache
def notices() -> Console:
    """For people: progress, refusals, summaries. What a script reads goes to stdout alone."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def refuse(subject: object, reason: object) -> None:
    """One line on stderr about an input that is left out, in plain text however long it is."""
    typer.echo(f"refused {printable(subject)}: {printable(reason)}", err=True)


def printable(subject: object) -> str:
    """A path, or a text that names one, for people, on one line: bytes that are no UTF-8 and control characters as
    \\xNN, for a file's name may hold whatever ends a line or moves a cursor."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", str(subject))


_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def print_anything() -> None:
    """From now on what this process prints never fails for the characters that a terminal lacks: they are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(content: Any, *, indent: int | None = None) -> None:
    """One document. Bytes of a path that are no UTF-8 are lone surrogates, U+DC80 to U+DCFF, as escapes: Python's
    `os.fsencode` makes the path of them again."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(content, ensure_ascii=not unicode, indent=indent)
    typer.echo(_SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def whole_numbers(text: str) -> list[int]:
    """The numbers of a list such as "1,10,100", each once, ascending."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"{text!r} is no list of whole numbers such as 1,10,100")
    return sorted({int(part) for part in parts})


def in_words(size: int) -> str:
    """1234567 as "1.23 MB"."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
