"""`obverse score`: figures, plots and report of a comparison anew, without running a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from cli.options import AsJson, print_json, printable
from cli.research.reports import write_report

COLUMNS = ("recall_at_1", "ranked_first", "micro_ap", "recall_at_half_percent", "wrong", "ms_p50")


def score(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", exists=True, file_okay=False, help="Folder that `obverse compare` wrote.")
    ],
    predictions: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Predictions of others to score beside it; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a comparison's predictions again, with anyone's beside them."""
    from benchmarks.compare.score.results import score as judge

    results = judge(out, predictions or [])
    report = write_report(out)
    if as_json:
        print_json(results)
        return
    Console().print(summary(results))
    typer.echo(printable(report))


def summary(results: dict[str, Any]) -> Table:
    """All sets together, a line a method."""
    from benchmarks.compare.score.figures import FIGURES
    from benchmarks.compare.show.tables import number

    shown = [f for f in FIGURES if f.key in COLUMNS]
    table = Table(Column("method", overflow="fold"), "photos", *(f.title for f in shown))
    for method in results["methods"]:
        figures = method["all"]["figures"]
        sampled = "*" if method.get("sample") is not None else ""
        cells = (number(figures[f.key], f.unit) for f in shown)
        table.add_row(escape(method["name"]) + sampled, str(method["all"]["photos"]), *cells)
    return table
