"""`obverse serve`: the server in the foreground, until a signal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.edge.logs import configure_logging
from api.errors import SettingError
from api.server import run_server
from api.settings import load_settings
from engine.errors import ObverseError

DataFolder = Annotated[
    Path, typer.Option("--data", envvar="OBVERSE_DATA", file_okay=False, help="Data folder; made if missing.")
]


def serve(
    data: DataFolder,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8000; 0: any free one).")] = None,
    config: Annotated[
        Path | None, typer.Option(envvar="OBVERSE_CONFIG", exists=True, dir_okay=False, help="Settings as TOML.")
    ] = None,
) -> None:
    """Serve a data folder over HTTP. All settings: docs/operations.md."""
    try:
        settings = load_settings(config, host=host, port=port)
    except SettingError as error:
        typer.echo(f"obverse: {error}", err=True)
        raise typer.Exit(2) from error
    configure_logging(settings)
    try:
        status = run_server(data, settings, tell=lambda address: typer.echo(f"Obverse listens on {address}"))
    except (ObverseError, OSError) as error:
        typer.echo(f"obverse: {error}", err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(status)
