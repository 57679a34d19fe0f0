"""`obverse match`: whether a photo shows one picture, without a gallery."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, notices, opened, print_json, printable, refuse
from engine.errors import ImageError

_OF_A_GALLERY = ("identifier", "channel", "metadata", "accepted")
"""What `obverse find` tells of a match, and a picture without a gallery has not."""


def match(
    picture: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The picture, as flat as it is.")],
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo, or another picture.")],
    explain: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Draw photo and picture side by side (PNG).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether a photo shows a picture, how sure that is, and why."""
    if explain and explain.suffix.lower() != ".png":
        raise typer.BadParameter("the file must end in .png", param_hint="--explain")
    from cli.gallery.find import as_match

    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), shared=False) as recognizer:
        shown = _given(photo)
        with _refused(picture):
            prepared = recognizer.describe(_given(picture))
        with _refused(photo):
            found = recognizer.compare(prepared, shown)
        best = found.results[0] if found.results else None
        if explain and best:
            explain.write_bytes(recognizer.explain(shown, best, picture=prepared))
        elif explain:
            notices().print(f"nothing to draw into {printable(explain)}: no outline agrees", markup=False)
    if as_json:
        facts = None
        if best is not None:
            facts = {name: value for name, value in as_match(best).items() if name not in _OF_A_GALLERY}
            facts["homography"] = best.H_picture_to_photo.tolist()
        print_json({"picture": str(picture), "photo": str(photo), "same": found.answer is not None, "match": facts})
    elif best is None:
        typer.echo("another picture: no outline agrees")
    else:
        verdict = "the same picture" if best.accepted else "not surely the same picture"
        typer.echo(f"{verdict}: match ratio {best.match_ratio:.1f}, {best.inliers} points agree; {best.because}")


def _given(path: Path) -> bytes:
    with _refused(path):
        return path.read_bytes()


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """What the file is refused for is told, and ends the command."""
    try:
        yield
    except (ImageError, OSError) as error:
        refuse(path, str(error))
        raise typer.Exit(1) from error
