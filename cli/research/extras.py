"""What is said where the packages of an extra are missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer


@contextlib.contextmanager
def needed_extra(name: str) -> Iterator[None]:
    """A package that cannot be imported becomes one line with the command that installs it, and status 1."""
    try:
        yield
    except ModuleNotFoundError as error:
        typer.echo(f"obverse: {error.name} is missing: pip install 'obverse[{name}]'", err=True)
        raise typer.Exit(1) from error
