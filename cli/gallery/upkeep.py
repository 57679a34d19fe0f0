"""`obverse backup`, `restore`, `reindex`: keeping a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import (
    AsJson,
    DataFolder,
    NewDataFolder,
    engine_settings,
    in_words,
    notices,
    print_json,
    printable,
    refuse,
)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Archive to write, .tar.gz.")],
    data: DataFolder,
    as_json: AsJson = False,
) -> None:
    """Write catalogue, keys and statistics into one file; a server may go on meanwhile."""
    from engine.upkeep import backup

    done = backup.backup(data, file)
    if done.left_out:
        notices().print(
            f"left out {', '.join(done.left_out)}: a server holds the data folder, or this user cannot tell, and only "
            "it may read its statistics; stop it for a backup with them"
        )
    if as_json:
        print_json({"file": str(file), "files": done.files, "left_out": list(done.left_out)})
    else:
        typer.echo(f"{printable(file)}: {', '.join(f'{name} {in_words(size)}' for name, size in done.files.items())}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="What `backup` wrote.")],
    data: NewDataFolder,
    force: Annotated[bool, typer.Option("--force", help="Replace the gallery that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring back a backup. The archive is proved whole before anything is replaced."""
    from engine.upkeep import backup

    done = backup.restore(file, data, force=force)
    if as_json:
        print_json({"file": str(file), "data": str(data), "files": done.files})
    else:
        typer.echo(f"{printable(data)}: restored {', '.join(done.files)}; the indexes are built at the next opening")


def reindex(
    data: DataFolder,
    source: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of the files of pictures without a kept rendition."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Pictures described at the same time (default: one per core).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Describe all pictures with the installed model. Stop the server first; run it again where it was stopped."""
    from rich.progress import Progress

    from engine.catalogue import Catalogue
    from engine.threads import one_thread_each, processors
    from engine.upkeep.bulk_import import files_of, originals_of
    from engine.upkeep.reindex import reindex as run

    originals = {}
    if source:
        catalogue = Catalogue(data)
        try:
            originals = originals_of(files_of([source])[0], catalogue.all_pictures())
        finally:
            catalogue.close()
    with one_thread_each(), Progress(console=notices(), transient=True) as progress:
        task = progress.add_task("describing", total=None)
        done = run(
            data,
            engine_settings(threads=workers or processors()),
            originals=originals,
            tell=lambda count, total: progress.update(task, completed=count, total=total),
        )
    for name, reason in done.unusable.items():
        refuse(name, reason)
    if as_json:
        print_json({"reindexed": done.done, "unusable": done.unusable})
    else:
        typer.echo(f"{done.done} pictures described anew, {len(done.unusable)} without usable features")
    if done.unusable:
        raise typer.Exit(1)
