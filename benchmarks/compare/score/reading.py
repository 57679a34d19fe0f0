"""A run folder's files and the sets that it was run on, as one Judged for each method and set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.compare.files import (
    GEOMETRY,
    PREDICTIONS,
    RUN,
    SHORTLIST,
    Geometry,
    Listed,
    Prediction,
    Timing,
    read_geometry,
    read_rows,
)
from benchmarks.compare.score.homographies import picture_size, read_homographies
from benchmarks.compare.score.judging import Judged, Truth, judge
from benchmarks.sets import read_set
from engine.errors import ResearchError

BASELINE = "obverse"
"""The method that the others are compared with; its scores are match ratios, read as probabilities."""
Named = TypeVar("Named", Prediction, Listed, Timing, Geometry)
"""A row that names its method, set and query."""
Grouped = Mapping[str, Mapping[str, Mapping[str, Sequence[Named]]]]
"""Method to set to query to rows, in the file's order."""


def read_run(out: Path) -> dict[str, Any]:
    """What run.json holds. Raises FileNotFoundError, or ResearchError where it lacks what a score needs."""
    path = out / RUN
    if not path.is_file():
        raise FileNotFoundError(f"{out} holds no {RUN}; `obverse compare SET --out {out}` makes one")
    try:
        run = json.loads(path.read_text("utf-8"))
        for one in run["sets"]:
            _ = one["name"], one["folder"]
        for method in run["methods"]:
            _ = method["name"]
        run["gallery"] = int(run["gallery"])
        run.setdefault("refused", {})
    except (ValueError, KeyError, TypeError) as error:
        raise ResearchError(f"{path}: not a run: {error!r}") from error
    return run  # type: ignore[no-any-return]


def judge_all(out: Path, run: dict[str, Any], extra: Sequence[Path] = ()) -> dict[str, dict[str, Judged]]:
    """Method to set to Judged, of the run and of further prediction files. A method of the run that was sampled is
    judged on its photos; every other one on all photos of the sets it has rows for, those without rows as misses.
    Raises ResearchError where a file is malformed or contradicts the sets."""
    truths = {one["name"]: _truth(one, run) for one in run["sets"]}
    facts = {m["name"]: m for m in run["methods"]}
    predictions = grouped(_predictions(out, extra))
    shortlist = grouped(read_optional(out / SHORTLIST, Listed))
    lines = read_geometry(out / GEOMETRY) if (out / GEOMETRY).exists() else []
    geometry = grouped(lines)
    _check_names(predictions, truths)
    result: dict[str, dict[str, Judged]] = {}
    for name in [n for n in facts if n in predictions] + [n for n in predictions if n not in facts]:
        fact = facts.get(name, {})
        of_sets = predictions[name]
        accepts = any(r.accepted for queries in of_sets.values() for rows in queries.values() for r in rows)
        found: dict[str, Judged] = {}
        for set_name, truth in truths.items():
            if set_name not in of_sets:
                continue
            asked = [q for q in truth.photos if fact.get("sample") is None or q in of_sets[set_name]]
            places = geometry.get(name)
            found[set_name] = judge(
                truth,
                name,
                of_sets[set_name],
                shortlist[name].get(set_name, {}) if name in shortlist else None,
                None if places is None else {q: lines[0] for q, lines in places.get(set_name, {}).items()},
                photos=asked,
                answers=accepts or fact.get("threshold") is not None,
                probability=name == BASELINE,
            )
        result[name] = found
    return result


def read_optional(path: Path, kind: type[Any]) -> list[Any]:
    """The rows of a file that a run need not have; none where it is not there."""
    return read_rows(path, kind) if path.exists() else []


def grouped(rows: Iterable[Named]) -> Grouped[Named]:
    """The same rows by method, set and query."""
    found: dict[str, dict[str, dict[str, list[Named]]]] = {}
    for row in rows:
        found.setdefault(row.method, {}).setdefault(row.set, {}).setdefault(row.query, []).append(row)
    return found


def _predictions(out: Path, extra: Sequence[Path]) -> list[Prediction]:
    rows = read_rows(out / PREDICTIONS, Prediction)
    for path in extra:
        more = read_rows(path, Prediction)
        taken = {r.method for r in rows} & {r.method for r in more}
        if taken:
            raise ResearchError(f"{path}: method {min(taken)!r} is there already; give yours another name")
        rows += more
    return rows


def _truth(one: Mapping[str, Any], run: Mapping[str, Any]) -> Truth:
    folder = Path(one["folder"])
    evaluation = read_set(folder, with_files=False)
    if evaluation.name != one["name"]:
        evaluation = type(evaluation)(one["name"], folder, evaluation.truth, evaluation.hard, evaluation.also_visible)
    refused = {Path(path).resolve() for path in run["refused"]}
    readable = tuple(q for q in sorted(evaluation.truth) if (folder / "queries" / q).resolve() not in refused)
    known = {}
    for (query, ref), H in read_homographies(folder).items():
        known[query, ref] = H, picture_size(folder / "refs" / ref)
    return Truth(evaluation=evaluation, photos=readable, gallery=run["gallery"], homographies=known)


def _check_names(predictions: Grouped[Prediction], truths: Mapping[str, Truth]) -> None:
    for method, sets in predictions.items():
        for name, queries in sets.items():
            if name not in truths:
                raise ResearchError(
                    f"method {method!r} names the set {name!r}, which the run has not: {', '.join(truths)}"
                )
            unknown = next((q for q in queries if q not in truths[name].evaluation.truth), None)
            if unknown is not None:
                raise ResearchError(f"method {method!r} names the photo {unknown!r}, which is not in {name}/truth.csv")
