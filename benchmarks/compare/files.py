"""The rows that a comparison's run folder holds, and how they are read and written as CSV.

Every file is UTF-8 with a header that names the fields of its row type. `rank` counts from 1; a photo for which
a method found nothing has one Prediction with rank 0 and no reference. `score` is a similarity of any range:
higher is surer. A `ms` that nobody measured is NaN, an empty cell in the file.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables_in import read_cells
from engine.errors import ResearchError

PREDICTIONS, SHORTLIST, TIMINGS = "predictions.csv", "shortlist.csv", "timings.csv"
GEOMETRY, GROWTH, STRESS = "geometry.jsonl", "growth.csv", "stress.csv"
RUN, RESULTS, REPORT, PLOTS = "run.json", "results.json", "report.html", "plots"
"""Names in a run folder."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One line of a method's final ranking: predictions.csv."""

    method: str
    """The method's name."""
    set: str
    """Name of the set that the photo belongs to."""
    query: str
    """The photo: its path below the set's queries/."""
    rank: int
    """Place in the ranking, from 1; 0 in the one row of a photo for which nothing was found."""
    ref: str
    """The picture: its path below the set's refs/, //SET/path of another set's, or //distractors/path."""
    score: float
    """Similarity of any range, higher is surer."""
    accepted: bool
    """Whether the method gives the picture as its answer; of the row of rank 1 only."""
    ms: float
    """Milliseconds that the whole photo took, the same in each of its rows; NaN where nobody measured them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of what the shortlist alone gave, before any ranking or verification: shortlist.csv."""

    method: str
    """The method's name."""
    set: str
    """Name of the set that the photo belongs to."""
    query: str
    """The photo: its path below the set's queries/."""
    rank: int
    """Place in the list, from 1."""
    ref: str
    """The picture, written as in a Prediction."""
    score: float
    """The list's own score, higher is surer."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What one stage took for one photo: timings.csv."""

    method: str
    """The method's name."""
    set: str
    """Name of the set that the photo belongs to."""
    query: str
    """The photo: its path below the set's queries/."""
    stage: str
    """The stage's name, such as decode, shortlist or verify; total is all of them together."""
    ms: float
    """Milliseconds; NaN where nobody measured them."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A method with a gallery of one size: growth.csv."""

    method: str
    """The method's name."""
    gallery: int
    """Pictures of the gallery."""
    queries: int
    """Photos that were asked."""
    recall_at_1: float
    """Share of the photos whose right picture stood first."""
    recall_at_10: float
    """Share of the photos whose right picture stood among the first 10."""
    recall_at_100: float
    """Share of the photos whose right picture stood among the first 100."""
    ms: float
    """Median of the photos' milliseconds."""


@dataclass(frozen=True, slots=True)
class Stressed:
    """A method on pictures photographed by simulation with one factor at one strength: stress.csv."""

    method: str
    """The method's name."""
    factor: str
    """The factor's name, with its unit."""
    strength: float
    """Strength of the factor in that unit."""
    photos: int
    """Photos of that factor and strength."""
    recall_at_1: float
    """Share of the photos whose right picture stood first, accepted or not."""
    accepted_right: float
    """Share of the photos that were answered rightly."""
    wrong: float
    """Share of the photos that were answered with another picture."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a method saw the first picture of its ranking: a line of geometry.jsonl."""

    method: str
    """The method's name."""
    set: str
    """Name of the set that the photo belongs to."""
    query: str
    """The photo: its path below the set's queries/."""
    ref: str
    """The picture, written as in a Prediction."""
    H_picture_to_photo: tuple[float, ...]
    """The nine entries of the homography, row by row, in pixels of the original files."""
    inliers: tuple[tuple[float, float, float, float], ...]
    """Matched points: x, y in the picture and u, v in the photo, in pixels of the original files."""


Row = TypeVar("Row", Prediction, Listed, Timing, Grown, Stressed)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Replaces the file at once, so that no reader sees half of it. Without rows the file is empty."""
    draft = path.with_name(path.name + ".tmp")
    with draft.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        _write(file, rows, header=True)
    draft.replace(path)


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Adds to the file, with a header where it is new, and hands all to the system before it returns."""
    with path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
        _write(file, rows, header=file.tell() == 0)
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """All rows, in the file's order; none of an empty file. Raises ResearchError with file, line and reason where
    the header is another or a cell cannot be read."""
    found: list[Row] = []
    rows = read_cells(path)
    try:
        line, header = next(rows)
    except StopIteration:
        return found
    fields = {f.name: str(f.type) for f in dataclasses.fields(kind)}
    if sorted(header) != sorted(fields):
        raise ResearchError(f"{path}, line {line}: the header is {','.join(header)}, not {','.join(fields)}")
    for line, cells in rows:
        if len(cells) != len(header):
            raise ResearchError(f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}")
        try:
            values = {name: _value(name, fields[name], cell) for name, cell in zip(header, cells, strict=True)}
        except ResearchError as error:
            raise ResearchError(f"{path}, line {line}: {error}") from error
        found.append(kind(**values))
    return found


def read_geometry(path: Path) -> list[Geometry]:
    """All lines of geometry.jsonl, in order. Raises ResearchError with file, line and reason."""
    found = []
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            try:
                found.append(_geometry(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise ResearchError(f"{path}, line {number}: {error!r} in a line of geometry") from error
    return found


def geometry_line(
    method: str,
    set_name: str,
    query: str,
    ref: str,
    H_picture_to_photo: NDArray[np.float64],
    inliers: NDArray[np.float64],
) -> str:
    """The line of geometry.jsonl, newline included. inliers: (N, 4) picture x, y and photo u, v; an even sample
    of at most 60 is kept."""
    step = max(1, -(-len(inliers) // 60))
    content = {
        "method": method, "set": set_name, "query": query, "ref": ref,
        "H": [float(v) for v in H_picture_to_photo.reshape(9)],
        "inliers": [[round(float(v), 1) for v in line] for line in inliers[::step]],
    }  # fmt: skip
    return json.dumps(content) + "\n"


def _geometry(content: dict[str, Any]) -> Geometry:
    H = tuple(float(v) for v in content["H"])
    inliers = tuple((float(x), float(y), float(u), float(v)) for x, y, u, v in content["inliers"])
    if len(H) != 9 or not all(map(math.isfinite, (*H, *(v for line in inliers for v in line)))):
        raise ResearchError("H must be nine finite numbers, inliers four each")
    names = {name: content[name] for name in ("method", "set", "query", "ref")}
    if not all(isinstance(value, str) for value in names.values()):
        raise ResearchError("method, set, query and ref must be strings")
    return Geometry(H_picture_to_photo=H, inliers=inliers, **names)


def _write(file: Any, rows: Iterable[Row], *, header: bool) -> None:
    writer = csv.writer(file, lineterminator="\n")
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        fields = [f.name for f in dataclasses.fields(row)]
        if header:
            writer.writerow(fields)
            header = False
        cells = [_cell(getattr(row, name)) for name in fields]
        # The csv module leaves a carriage return bare, and then reads it as the line's end.
        (quoting if any("\r" in cell for cell in cells) else writer).writerow(cells)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return str(value)


def _value(name: str, type_name: str, cell: str) -> Any:
    if type_name == "str":
        return sys.intern(cell)  # a million rows name the same few thousand files
    if type_name == "bool":
        if cell not in ("0", "1"):
            raise ResearchError(f"{name} is {cell!r}, not 0 or 1")
        return cell == "1"
    if type_name == "int":
        if not (cell.isascii() and cell.isdecimal()):
            raise ResearchError(f"{name} is {cell!r}, not a whole number")
        return int(cell)
    if name == "ms" and not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ResearchError(f"{name} is {cell!r}, not a finite number")
    return value
