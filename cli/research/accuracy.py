"""`obverse recall`, `evaluate`, `calibrate`: how well the engine does, on anyone's own photographs."""

from __future__ import annotations

import contextlib
import enum
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, notices, opened, print_json, printable, refuse, whole_numbers
from engine.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from benchmarks.accuracy.outcomes import Outcome
    from benchmarks.sets import EvaluationSet
    from engine.recognizer import Recognizer

Sets = Annotated[
    list[Path],
    typer.Argument(metavar="SET...", exists=True, file_okay=False, help="Folders with refs/, queries/ and truth.csv."),
]
Distractors = Annotated[
    list[Path] | None,
    typer.Option("--distractors", exists=True, file_okay=False, help="Folder of further pictures; may be repeated."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Most pictures to take of each distractors folder.")]
Gallery = Annotated[
    Path | None,
    typer.Option("--data", file_okay=False, help="Keep the gallery here for later runs (default: a temporary one)."),
]
Model = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Model folder (default: the shipped one).")
]


LeaveOneOut = Annotated[
    bool,
    typer.Option(
        "--leave-one-out",
        help="Look at each photo of a gallery picture once more with that picture, and copies of it, left out.",
    ),
]


class Split(enum.StrEnum):
    """The halves of the objects: the match ratio is fitted on one and reported on the other."""

    FIT = "fit"
    REPORT = "report"
    ALL = "all"


def recall(
    sets: Sets,
    distractors: Distractors = None,
    limit: Limit = None,
    depths: Annotated[str, typer.Option(help="Depths of the shortlist, separated by commas.")] = "1,10,50,100,500,1500",
    data: Gallery = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Recall of the shortlist and of the ranking by geometry, beside the ceiling: every picture ranked."""
    marks = whole_numbers(depths)
    from benchmarks.accuracy.stage_recall import recall as run

    with _gallery(sets, distractors, limit, data, model) as (recognizer, evaluated):
        found = run(recognizer, evaluated, marks)
    if as_json:
        print_json(found)
        return
    rows = []
    for name, row in _rows(found):
        shares = [row["shortlist_recall"][str(d)] for d in marks]
        after = (row["geometry_recall"]["1"], row["geometry_recall"]["10"], row["ceiling"], row["quotient"])
        rows.append((name, str(row["queries"]), *(_share(value) for value in (*shares, *after))))
    depths_shown = (f"shortlist@{depth}" for depth in marks)
    _print_table(("set", "queries", *depths_shown, "geometry@1", "geometry@10", "ceiling", "quotient"), rows)
    typer.echo(f"gallery of {found['gallery']} pictures")


def evaluate(
    sets: Sets,
    distractors: Distractors = None,
    limit: Limit = None,
    split: Annotated[Split, typer.Option(help="Which half of the objects to report.")] = Split.ALL,
    data: Gallery = None,
    model: Model = None,
    calibration: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Fit by `obverse calibrate` (default: shipped).")
    ] = None,
    outcomes: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Keep here what was found for each photo, one JSON a line.")
    ] = None,
    leave_one_out: LeaveOneOut = False,
    forecast: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write here what each threshold brings, for the console; beside the fit."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End to end: recall, wrong answers, false accepts on easy and on hard negatives, latency by stage."""
    from benchmarks.accuracy.end_to_end import report
    from benchmarks.accuracy.forecast import forecast as make_forecast
    from benchmarks.accuracy.outcomes import write_outcomes

    with _gallery(sets, distractors, limit, data, model, calibration=calibration) as (recognizer, evaluated):
        found = _collect(recognizer, evaluated, split, leave_one_out=leave_one_out)
        if outcomes:
            write_outcomes(outcomes, found)
        if forecast:
            made = make_forecast(
                found,
                recognizer.calibration,
                file=calibration or DEFAULT_MODEL / "calibration.json",
                default=recognizer.default_threshold,
            )
            forecast.write_text(json.dumps(made, indent=1) + "\n")
        count = recognizer.index.pictures
        result = report(found, recognizer.calibration, threshold=recognizer.default_threshold, gallery=count)
    if as_json:
        print_json(result)
        return
    names = (
        "queries",
        "positives",
        "recall_at_1",
        "wrong",
        "false_accepts_easy",
        "false_accepts_hard",
        "p50_ms",
        "p95_ms",
    )
    rows = [(name, *(f"{row[key]:g}" if row[key] is not None else "" for key in names)) for name, row in _rows(result)]
    _print_table(("set", *names), rows)
    if leave_one_out:
        missing = [(name, row["left_out"]) for name, row in _rows(result) if "left_out" in row]
        shown = (
            (name, str(row["photos"]), str(row["false_accepts"]), f"{row['false_accept_bounds'][1]:.3f}")
            for name, row in missing
        )
        _print_table(("without the right picture", "photos", "false accepts", "at most, 95 %"), list(shown))
    typer.echo(f"gallery of {result['gallery']} pictures, answers at a match ratio of {result['threshold']:g} or more")


def calibrate(
    sets: Sets,
    out: Annotated[Path, typer.Option(dir_okay=False, help="File to write; the `calibration` setting takes it.")],
    distractors: Distractors = None,
    limit: Limit = None,
    split: Annotated[Split, typer.Option(help="Which half of the objects to fit on.")] = Split.FIT,
    data: Gallery = None,
    model: Model = None,
    looks: Annotated[
        int, typer.Option(min=1, max=5, help="Times that each photo is looked at, at slightly different sizes.")
    ] = 5,
    threshold_split: Annotated[
        Split | None,
        typer.Option(help="Which half of the objects chooses the threshold (default: that of --split)."),
    ] = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(help="Fit on looks too in which the picture that the photo shows is not in the gallery."),
    ] = True,
    errors: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Share of looks that the threshold may answer wrongly.")
    ] = 0.005,
    confidence: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.9999, help="Hold the share of errors with this confidence (default: as counted)."),
    ] = None,
    made: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Set by `obverse series`: its looks count little, and choose no threshold; may be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the match ratio and its default threshold to sets of your own."""
    from benchmarks.accuracy.calibrate import fit, write_calibration

    chosen_on = threshold_split or split
    with _gallery(sets, distractors, limit, data, model) as (recognizer, evaluated):
        half = split if split is chosen_on else Split.ALL
        found = _collect(recognizer, evaluated, half, looks=looks, leave_one_out=leave_one_out)
        fingerprint = recognizer.fingerprint
    of_series: list[Outcome] = []
    if made:  # in a gallery of their own: a distractor may be a copy of one of their pictures
        with _gallery(made, None, None, None, model) as (recognizer, series):
            of_series = _collect(recognizer, series, Split.ALL, leave_one_out=leave_one_out)
    seen = {half: [o for o in found if half is Split.ALL or o.side == half] for half in (split, chosen_on)}
    fitted = fit(seen[split], made=of_series, threshold_on=seen[chosen_on], errors=errors, confidence=confidence)
    photos = sum(not o.left_out for o in seen[split]) // looks
    facts = {
        "sets": [s.name for s in evaluated],
        "photos": photos,
        "left_out": sum(o.left_out for o in seen[split]) // looks,
        "looks": looks,
        "made": sum(not o.left_out for o in of_series),
        "errors": errors,
        "confidence": confidence,
        "split": str(split),
        "threshold_split": str(chosen_on),
        "model": fingerprint,
    }
    write_calibration(out, fitted, facts)
    if as_json:
        print_json({"file": str(out), "threshold": fitted.threshold, **facts})
    else:
        typer.echo(f"{printable(out)}: fitted on {photos} photos, default threshold {fitted.threshold:g}")


@contextlib.contextmanager
def _gallery(
    sets: Sequence[Path],
    distractors: Sequence[Path] | None,
    limit: int | None,
    data: Path | None,
    model: Path | None,
    **changes: Any,
) -> Iterator[tuple[Recognizer, list[EvaluationSet]]]:
    """One gallery with the references of all sets and the distractors; what is refused is told."""
    from benchmarks.sets import fill, read_set
    from engine.image_files import list_pictures

    if model is not None:
        changes["model"] = model
    evaluated = [read_set(folder) for folder in sets]
    others = [path for folder in distractors or () for path in list_pictures(folder)[:limit]]
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        recognizer = stack.enter_context(opened(folder, shared=False, **changes))
        notices().print(f"filling a gallery with {len(evaluated)} sets and {len(others)} distractors")
        for path, reason in fill(recognizer, evaluated, others).items():
            refuse(path, reason)
        recognizer.warm_up()
        yield recognizer, evaluated


def _collect(
    recognizer: Recognizer,
    sets: Sequence[EvaluationSet],
    split: Split,
    *,
    looks: int = 1,
    leave_one_out: bool = False,
) -> list[Outcome]:
    from rich.progress import track

    from benchmarks.accuracy.outcomes import collect, photos_of

    side = None if split is Split.ALL else str(split)
    total = looks * sum(2 if leave_one_out and s.truth[query] else 1 for s, query in photos_of(sets, side))
    found = collect(recognizer, sets, side=side, looks=looks, leave_one_out=leave_one_out)
    return list(track(found, "recognising", total=total, console=notices(), transient=True))


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*titles)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _rows(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [*found["sets"].items(), ("all", found["all"])]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
