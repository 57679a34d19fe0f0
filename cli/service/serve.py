"""`obverse serve`: the server in the foreground, until a signal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import NewDataFolder, existing_gallery


def serve(
    data: NewDataFolder,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8000; 0: any free one).")] = None,
    vuforia_port: Annotated[
        int | None, typer.Option(help="Port at whose root Vuforia's calls answer, too (0: any free one).")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(envvar="OBVERSE_CONFIG", exists=True, dir_okay=False, help="Settings as TOML.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Recognise only: changes are refused, nothing is counted or written.")
    ] = False,
) -> None:
    """Serve a data folder over HTTP. All settings: docs/operations.md."""
    if read_only:
        existing_gallery(data)
    from api.edge.logs import configure_logging
    from api.server import run_server
    from api.settings import load_settings

    settings = load_settings(config, host=host, port=port, vuforia_port=vuforia_port)
    configure_logging(settings)

    def tell(address: str, vuforia: str | None) -> None:
        typer.echo(f"Obverse listens on {address}")
        if vuforia is not None:
            typer.echo(f"Vuforia's calls answer on {vuforia}")

    raise typer.Exit(run_server(data, settings, tell=tell, read_only=read_only))
