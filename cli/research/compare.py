"""`obverse compare`: retrieval methods side by side on one's own pictures."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import notices, printable, refuse
from cli.research.progress import bars
from cli.research.reports import write_report
from engine.errors import ResearchError

if TYPE_CHECKING:
    from benchmarks.compare.material import Material
    from benchmarks.compare.methods import Method
    from benchmarks.compare.settings import RunSettings

ALL = "all"


def compare(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the run; made, or gone on with.")],
    sets: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SET]...", exists=True, file_okay=False, help="Folders with refs/, queries/, truth.csv."
        ),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Plain folder of pictures, with --photos.")
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Plain folder of photos named after the pictures."),
    ] = None,
    distractors: Annotated[
        list[Path] | None,
        typer.Option(exists=True, file_okay=False, help="Folder of further pictures; may be repeated."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most pictures to take of each distractors folder.")] = None,
    methods: Annotated[
        str, typer.Option(help="Names separated by commas; onnx:PATH for an image network (default: all).")
    ] = "",
    ceiling_queries: Annotated[
        str, typer.Option(help="Photos that the exhaustive methods are run on: a number, or all.")
    ] = "60",
    grid: Annotated[bool, typer.Option("--grid", help="Also all verifiers behind one shortlist.")] = False,
    grid_shortlist: Annotated[str, typer.Option(help="The shortlist of --grid.")] = "global",
    growth: Annotated[
        int | None, typer.Option(min=1, help="Recall and time against gallery size, up to so many descriptors.")
    ] = None,
    matcher: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Learned matcher as ONNX (docs/methods.md).")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each method.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the ceilings' sample and of made-up pictures.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Drop a run of other arguments.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Start without asking.")] = False,
) -> None:
    """Compare retrieval methods on pictures and photos: tables, curves and the failures to look at."""
    if (pictures is None) != (photos is None):
        raise typer.BadParameter("--pictures and --photos go together")
    if not sets and pictures is None:
        raise typer.BadParameter("give folders of sets, or --pictures and --photos")
    from benchmarks.compare.run.facts import describe_run
    from benchmarks.compare.run.folder import check_folder
    from benchmarks.compare.run.growth import measure_growth
    from benchmarks.compare.run.runner import run
    from benchmarks.compare.score.results import score
    from benchmarks.compare.settings import RunSettings

    settings = RunSettings(threads=threads, seed=seed, ceiling_queries=_ceiling(ceiling_queries), matcher=matcher)
    command = shlex.join(["obverse", *sys.argv[1:]])
    chosen = _methods(methods, grid=grid_shortlist if grid else None, matcher=matcher)
    material = _material(out, sets or [], pictures, photos, distractors or [], limit)
    check_folder(out, describe_run(material, settings, command=command), overwrite=overwrite)
    _predict(out, material, chosen, settings, ask=not yes)
    with bars() as tell:
        run(out, material, chosen, settings, command=command, tell=tell)
    if growth is not None:
        with bars() as tell:
            measure_growth(out, material, chosen, settings, descriptors=growth, tell=tell)
    notices().print("scoring")
    score(out)
    write_report(out)
    typer.echo(printable(out / "report.html"))


def _ceiling(text: str) -> int | None:
    if text == ALL:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"{text!r} is neither a number of photos nor {ALL}", param_hint="--ceiling-queries")
    return int(text)


def _methods(names: str, *, grid: str | None, matcher: Path | None) -> list[Method]:
    from benchmarks.compare import methods as known
    from benchmarks.compare.parts.local_features import has_akaze
    from benchmarks.compare.parts.matcher import Matcher
    from benchmarks.compare.parts.workshop import verifier_features
    from benchmarks.compare.run.pipeline import check_method

    chosen = [known.find_method(name.strip()) for name in names.split(",") if name.strip()] or list(known.METHODS)
    if matcher is not None:
        chosen.append(known.matcher_method(str(matcher)))
    if grid is not None:
        combinations = known.grid(grid)
        if not has_akaze():
            notices().print("this OpenCV has no AKAZE (version 5 has it in opencv-contrib-python-headless): left out")
            combinations = tuple(m for m in combinations if "akaze" not in verifier_features(m))
        chosen += combinations
    opened = Matcher(matcher) if matcher is not None else None
    for method in chosen:
        check_method(method, opened)
    distinct = list(dict.fromkeys(chosen))
    if len({m.name for m in distinct}) < len(distinct):
        raise ResearchError("two methods would have the same name; rename one of the model files")
    return distinct


def _material(
    out: Path, sets: list[Path], pictures: Path | None, photos: Path | None, distractors: list[Path], limit: int | None
) -> Material:
    from benchmarks.compare.material import gather, pair_folders
    from benchmarks.sets import read_set

    folders = list(sets)
    if pictures is not None and photos is not None:
        folders.append(pair_folders(pictures, photos, out / "sets"))
    for folder in folders:
        if not (folder / "truth.csv").is_file():
            raise ResearchError(f"{folder} has no truth.csv; two plain folders are given by --pictures and --photos")
    notices().print("looking at the pictures")
    record = out / "cache" / "readable.json"
    known: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    material = gather([read_set(folder) for folder in folders], distractors, limit=limit, known=known)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(known))
    for path, reason in material.refused.items():
        refuse(path, reason)
    return material


def _predict(out: Path, material: Material, methods: list[Method], settings: RunSettings, *, ask: bool) -> None:
    """Says how long it will take, and asks where someone can answer."""
    from rich.table import Table

    from benchmarks.compare.parts.matcher import Matcher
    from benchmarks.compare.run.forecast import forecast
    from benchmarks.compare.run.runner import due_photos

    notices().print(f"{len(material.photos)} photos, a gallery of {len(material.pictures)} pictures; measuring a few")
    due = due_photos(out, methods, material, settings)
    matcher = Matcher(settings.matcher, threads=settings.threads) if settings.matcher else None
    found = forecast(out / "cache", material, methods, due, threads=settings.threads, matcher=matcher)
    table = Table("method", "photos to do", "minutes, about")
    for name, seconds in found.items():
        table.add_row(name, str(len(due[name])) if name in due else "", f"{seconds / 60:.1f}")
    table.add_row("together", "", f"{sum(found.values()) / 60:.0f}")
    notices().print(table)
    if found and ask and sys.stdin.isatty() and not typer.confirm("Start?", default=True):
        raise typer.Exit(0)
