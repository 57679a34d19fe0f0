"""The `obverse` command: a table of subcommands, each imported when it is used.

`obverse --help` imports none of them, `obverse find` loads neither the web framework nor DuckDB, and only
`obverse train` loads torch. What the engine, the service and the research tools refuse on purpose becomes one line on
stderr, in this one place.
"""

from __future__ import annotations

import importlib
import re
from typing import Annotated, Any, NamedTuple

import typer
import typer.core
import typer.main

from api.errors import SettingError
from engine.errors import ObverseError

GALLERY, SERVICE, MEASURE, TRAIN = "Gallery", "Service", "Try and measure", "Train"


class Entry(NamedTuple):
    """What the list of commands shows of one, and where it is."""

    content: str
    """MODULE:FUNCTION, or MODULE:APP of a group."""
    panel: str
    help: str
    """First paragraph of the command's own help; it stands here so that a listing need not import the command."""


COMMANDS = {
    "add": Entry(
        "cli.gallery.add:add", GALLERY, "Add pictures to a channel. Run again, it goes on where it was stopped."
    ),
    "find": Entry("cli.gallery.find:find", GALLERY, "Recognise photographs."),
    "match": Entry(
        "cli.gallery.match:match", GALLERY, "Tell whether a photo shows a picture, how sure that is, and why."
    ),
    "list": Entry(
        "cli.gallery.pictures:list_pictures", GALLERY, "List pictures with their sizes, levels and thresholds."
    ),
    "changes": Entry(
        "cli.gallery.pictures:changes", GALLERY, "Tell what was added, changed and removed, by the log's own numbers."
    ),
    "remove": Entry(
        "cli.gallery.pictures:remove", GALLERY, "Remove pictures; a running server stops answering with them at once."
    ),
    "info": Entry(
        "cli.gallery.info:info",
        GALLERY,
        "Show counts, sizes, the model's fingerprint, and the indexes' kinds and freshness.",
    ),
    "export": Entry(
        "cli.gallery.archives:export_pictures",
        GALLERY,
        "Write a channel's kept pictures and all that is known of them into one file.",
    ),
    "import": Entry(
        "cli.gallery.archives:import_pictures",
        GALLERY,
        "Add the pictures of an archive, with what its lists tell of them. Run again, it goes on where it was stopped.",
    ),
    "migrate": Entry(
        "cli.migrate.migrate:migrate",
        GALLERY,
        "Take over an account of Vuforia, EasyAR or Kivicube. Run again, it goes on where it was stopped.",
    ),
    "backup": Entry(
        "cli.gallery.upkeep:backup",
        GALLERY,
        "Write catalogue, keys and statistics into one file; a server may go on meanwhile.",
    ),
    "restore": Entry(
        "cli.gallery.upkeep:restore",
        GALLERY,
        "Bring back a backup. The archive is proved whole before anything is replaced.",
    ),
    "reindex": Entry(
        "cli.gallery.upkeep:reindex",
        GALLERY,
        "Describe all pictures with the installed model. Stop the server first; run it again where it was stopped.",
    ),
    "serve": Entry(
        "cli.service.serve:serve", SERVICE, "Serve a data folder over HTTP. All settings: docs/operations.md."
    ),
    "user": Entry("cli.service.accounts:user_app", SERVICE, "Users and their keys."),
    "channel": Entry("cli.service.accounts:channel_app", SERVICE, "Channels, their owners and quotas."),
    "app": Entry("cli.service.apps:app_app", SERVICE, "Apps: keys of EasyAR clients, each for one channel."),
    "database": Entry(
        "cli.service.databases:database_app", SERVICE, "Databases: keys of Vuforia's clients, each for one channel."
    ),
    "console": Entry("cli.service.console:console_app", SERVICE, "The console in the browser."),
    "stats": Entry("cli.service.stats:stats", SERVICE, "Show how often pictures were recognised."),
    "client": Entry("cli.service.client:client_app", SERVICE, "Call a running server."),
    "demo": Entry(
        "cli.demo.demo:demo",
        MEASURE,
        "Fill a gallery, photograph some of its pictures by simulation, recognise them, draw the reasons.",
    ),
    "recall": Entry(
        "cli.research.accuracy:recall",
        MEASURE,
        "Recall of the shortlist and of the ranking by geometry, beside the ceiling: every picture ranked.",
    ),
    "evaluate": Entry(
        "cli.research.accuracy:evaluate",
        MEASURE,
        "End to end: recall, wrong answers, false accepts on easy and on hard negatives, latency by stage.",
    ),
    "calibrate": Entry(
        "cli.research.accuracy:calibrate",
        MEASURE,
        "Fit the match ratio and its default threshold to sets of your own.",
    ),
    "series": Entry(
        "cli.research.series:series",
        MEASURE,
        "Make a set of simulated photos of pictures whose sisters are in the gallery, too.",
    ),
    "compare": Entry(
        "cli.research.compare:compare",
        MEASURE,
        "Compare retrieval methods on pictures and photos: tables, curves and the failures to look at.",
    ),
    "score": Entry(
        "cli.research.score:score", MEASURE, "Score a comparison's predictions again, with anyone's beside them."
    ),
    "stress": Entry(
        "cli.research.stress:stress",
        MEASURE,
        "Photograph pictures by simulation, one factor at a time, and compare methods on the photos.",
    ),
    "bench": Entry("cli.research.bench:bench_app", MEASURE, "Measure speed and growth."),
    "train": Entry(
        "cli.research.train:train",
        TRAIN,
        "Train the patch descriptor, or the comparator, on a folder of pictures. Needs the `train` extra.",
    ),
    "export-backbone": Entry(
        "cli.research.backbones:export_backbone",
        TRAIN,
        "Export a torchvision backbone to ONNX, with its card, for `compare`. Needs the `train` extra.",
    ),
}
"""All commands by name; help lists them in this order."""


class LazyCommands(typer.core.TyperGroup):
    """Lists stubs of the commands, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in COMMANDS.items():
            stub = typer.core.TyperCommand(name, callback=None, help=entry.help, rich_help_panel=entry.panel)
            self.add_command(stub)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, stub and load_command(stub.name or ""), rest

    def invoke(self, ctx: Any) -> Any:
        from cli.options import print_anything, printable

        print_anything()
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `obverse list | head`: Click ends quietly
        except (ObverseError, OSError) as error:
            typer.echo(f"obverse: {printable(error)}", err=True)
            raise typer.Exit(2 if isinstance(error, SettingError) else 1) from error
        except UnicodeEncodeError as error:
            if error.reason != "surrogates not allowed":
                raise
            # Tables and reports are UTF-8 throughout: a name that is not cannot stand in them.
            name = re.split(r'[\n",]', error.object[: error.end])[-1][-100:]
            typer.echo(f"obverse: a file name that is not UTF-8, {printable(name)}…: rename it first", err=True)
            raise typer.Exit(1) from error


def load_command(name: str) -> Any:
    """The command itself, or the group of commands."""
    module, attribute = COMMANDS[name].content.split(":")
    content = getattr(importlib.import_module(module), attribute)
    if isinstance(content, typer.Typer):
        command: Any = typer.main.get_group(content)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(content)
        command = typer.main.get_command(single)
    command.name = name
    return command


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

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
