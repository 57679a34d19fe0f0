"""`obverse console`: the operator's password for the pages at /console, also while a server runs."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from api.accounts.operator import OperatorPassword
from cli.options import AsJson, DataFolder, print_json
from engine.catalogue import Catalogue

console_app = typer.Typer(help="The console in the browser.", no_args_is_help=True)


@console_app.callback()
def console() -> None:
    """The console in the browser."""


@console_app.command("password")
def password(
    data: DataFolder,
    remove: Annotated[bool, typer.Option("--remove", help="Let nobody sign in as the operator any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set the operator's password; it is asked for, or read from the first line of standard input."""
    with contextlib.closing(Catalogue(data)) as catalogue:
        operator = OperatorPassword(catalogue)
        if remove:
            operator.remove()
        else:
            operator.set(_asked())
    if as_json:
        print_json({"password": not remove})
    else:
        typer.echo("nobody signs in as the operator now" if remove else "the operator's password is set")


def _asked() -> str:
    """Never from the command line: other users of the machine could read it there."""
    if sys.stdin.isatty():
        given: str = typer.prompt("Password of the operator", hide_input=True, confirmation_prompt=True)
        return given
    return sys.stdin.readline().rstrip("\r\n")
