"""The `obverse` command: a table of subcommands, each imported when it is used.

`obverse find` loads neither the web framework nor DuckDB, and only `obverse train` loads torch. What the engine
and the service refuse on purpose becomes one line on stderr and status 1, in this one place.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from engine.errors import ObverseError

COMMANDS = {
    "add": "cli.gallery.pictures:add",
    "find": "cli.gallery.pictures:find",
    "list": "cli.gallery.pictures:list_pictures",
    "remove": "cli.gallery.pictures:remove",
    "info": "cli.gallery.pictures:info",
    "backup": "cli.gallery.upkeep:backup",
    "restore": "cli.gallery.upkeep:restore",
    "reindex": "cli.gallery.upkeep:reindex",
    "serve": "cli.service.serve:serve",
    "user": "cli.service.accounts:user_app",
    "channel": "cli.service.accounts:channel_app",
    "app": "cli.service.apps:app_app",
    "stats": "cli.service.stats:stats",
    "client": "cli.service.client:client_app",
    "demo": "cli.demo.demo:demo",
    "recall": "cli.research.accuracy:recall",
    "evaluate": "cli.research.accuracy:evaluate",
    "calibrate": "cli.research.accuracy:calibrate",
    "compare": "cli.research.compare:compare",
    "score": "cli.research.score:score",
    "stress": "cli.research.stress:stress",
    "bench": "cli.research.accuracy:bench_app",
    "train": "cli.research.train:train",
    "export-backbone": "cli.research.backbones:export_backbone",
}
"""Name to MODULE:FUNCTION, or to MODULE:APP for a group; help lists them in this order."""


class LazyCommands(typer.core.TyperGroup):
    """Imports a subcommand's module when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the signature is Click's
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        content = getattr(importlib.import_module(module), attribute)
        if isinstance(content, typer.Typer):
            command: Any = typer.main.get_group(content)
        else:
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(content)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `obverse list | head`: Click ends quietly
        except (ObverseError, OSError) as error:
            typer.echo(f"obverse: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("obverse"))
        raise typer.Exit


@app.callback()
def obverse(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Recognise pictures in photographs: a gallery on disk, a verified and explained answer."""


if __name__ == "__main__":
    app()
