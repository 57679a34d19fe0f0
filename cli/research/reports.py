"""The report of a comparison, drawn without leaving anything in HOME."""

from __future__ import annotations

from pathlib import Path

from engine.own_folder import keep_drawings_out_of_home


def write_report(out: Path) -> Path:
    """Tables, curves and failures of the comparison in `out`; gives the report's file."""
    keep_drawings_out_of_home()
    from benchmarks.compare.show.report import write_report as write

    return write(out)
