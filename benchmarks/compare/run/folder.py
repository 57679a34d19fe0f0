"""The run folder: what an earlier run left in it, and the rows that each photo adds.

A photo counts as done once the closing row of timings.csv is there, which is written last; whatever an interruption
left of others is cut away before the run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.files import (
    GEOMETRY,
    PREDICTIONS,
    RUN,
    SHORTLIST,
    TIMINGS,
    Listed,
    Prediction,
    Timing,
    append_rows,
    geometry_line,
    read_rows,
    write_rows,
)
from benchmarks.compare.material import ComparedPhoto, Material
from benchmarks.compare.methods import Method
from benchmarks.compare.run.pipeline import Found
from benchmarks.places import place_behind_ties
from engine.errors import ResearchError

TOTAL = "total"
"""Stage that closes a photo in timings.csv: a photo without it was interrupted and is run again."""
KEPT_ROWS = 100
"""Pictures of a ranking or a list that are written for a photo; right ones are written however far down they stand."""
_CLOSED = (Prediction, PREDICTIONS), (Listed, SHORTLIST), (Timing, TIMINGS)
"""The files of rows whose photos the closing row completes, with the type of their rows."""


class OtherRun(ResearchError):
    """The folder holds a run of other arguments."""

    def __init__(self, out: Path, names: Sequence[str]) -> None:
        self.out, self.names = out, tuple(names)
        super().__init__(
            f"{out} holds a run with other {', '.join(names)}; give another --out, or --overwrite to start anew "
            "(what is in its cache stays and is used)"
        )


# What is in the folder already


def check_folder(out: Path, facts: dict[str, Any], *, overwrite: bool) -> dict[str, Any]:
    """The earlier run.json, {} where there is none. Raises OtherRun where it was of other arguments, ResearchError
    where the file cannot be read as that of a run."""
    path = out / RUN
    if not path.exists():
        return {}
    if not overwrite:
        before = _earlier(path)
        differing = [name for name, value in facts["arguments"].items() if before["arguments"].get(name) != value]
        if differing:
            raise OtherRun(out, differing)
        return before
    for name in (RUN, GEOMETRY, *(name for _, name in _CLOSED)):
        (out / name).unlink(missing_ok=True)
    return {}


def _earlier(path: Path) -> dict[str, Any]:
    try:
        before: dict[str, Any] = json.loads(path.read_text("utf-8"))
        dict(before["arguments"])
    except (ValueError, KeyError, TypeError) as error:
        raise ResearchError(f"{path}: not a run: {error!r}; give another --out, or --overwrite") from error
    return before


def done_photos(out: Path) -> set[tuple[str, str, str]]:
    """(method, set, query) of the photos whose rows are whole."""
    _cut_last_line(out / TIMINGS)
    timings = read_rows(out / TIMINGS, Timing) if (out / TIMINGS).exists() else []
    return {(t.method, t.set, t.query) for t in timings if t.stage == TOTAL}


def close_interrupted(out: Path) -> None:
    """Cuts away what an interruption left of photos that are not done."""
    for _, name in _CLOSED:
        _cut_last_line(out / name)
    _cut_last_line(out / GEOMETRY)
    done = done_photos(out)
    for kind, name in _CLOSED:
        if (out / name).exists():
            rows: list[Any] = read_rows(out / name, kind)
            kept = [r for r in rows if (r.method, r.set, r.query) in done]
            if len(kept) < len(rows):
                write_rows(out / name, kept)
    if (out / GEOMETRY).exists():
        lines = (out / GEOMETRY).read_text().splitlines(keepends=True)
        kept_lines = [line for line in lines if tuple(json.loads(line)[k] for k in ("method", "set", "query")) in done]
        if len(kept_lines) < len(lines):
            (out / GEOMETRY).write_text("".join(kept_lines))


def _cut_last_line(path: Path) -> None:
    """An interruption may leave half a line."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


# What is written


def write_found(out: Path, method: Method, photo: ComparedPhoto, found: Found, material: Material) -> None:
    """All rows of one photo; the closing row of timings.csv comes last."""
    key = (method.name, photo.set, photo.query)
    pictures = material.pictures
    total = sum(found.stages.values())
    rows = [
        Prediction(*key, rank, pictures[n].named_in(photo.set), float(score), found.accepted and rank == 1, total)
        for rank, (n, score) in enumerate(zip(found.numbers[:KEPT_ROWS], found.scores, strict=False), 1)
    ]
    append_rows(out / PREDICTIONS, rows or [Prediction(*key, 0, "", 0.0, False, total)])
    append_rows(out / SHORTLIST, _listed_rows(method, photo, found, material))
    if found.place is not None:
        ref = pictures[found.place.number].named_in(photo.set)
        with (out / GEOMETRY).open("a") as file:
            file.write(geometry_line(*key, ref, found.place.H_picture_to_photo, found.place.inliers))
    stages = [Timing(*key, stage, ms) for stage, ms in found.stages.items()]
    append_rows(out / TIMINGS, [*stages, Timing(*key, TOTAL, total)])


def _listed_rows(method: Method, photo: ComparedPhoto, found: Found, material: Material) -> Iterable[Listed]:
    """The first rows of the list, and the right pictures behind them, each at its place behind the wrong ones of equal
    score and the right ones that the list has before it."""
    right = np.array([n for n, p in enumerate(material.pictures) if p.set == photo.set and p.ref in photo.right])
    hits = np.isin(found.listed, right)
    for at in np.flatnonzero(hits | (np.arange(len(found.listed)) < KEPT_ROWS)):
        score, rank = found.listed_scores[at], int(at) + 1
        if at >= KEPT_ROWS:
            rank = place_behind_ties(score, found.listed_scores[~hits]) + int(hits[:at].sum())
        name = material.pictures[int(found.listed[at])].named_in(photo.set)
        yield Listed(method.name, photo.set, photo.query, rank, name, float(score))


def write_run(out: Path, facts: dict[str, Any], material: Material, entries: dict[str, dict[str, Any]]) -> None:
    """run.json: the facts of the run, its sets, and the entries of its methods by name; replaced at once."""
    sets = []
    for one in material.sets:
        photos = [p for p in material.photos if p.set == one.name]
        negatives = [p.query for p in photos if not p.right]
        hard = sum(q in one.hard for q in negatives)
        sets.append(
            {
                "name": one.name,
                "folder": str(one.folder.resolve()),
                "photos": len(photos),
                "positives": len(photos) - len(negatives),
                "negatives_easy": len(negatives) - hard,
                "negatives_hard": hard,
            }
        )
    own = {s.name for s in material.sets}
    content = {
        **facts,
        "gallery": len(material.pictures),
        "distractors": sum(p.set not in own for p in material.pictures),
        "sets": sets,
        "methods": list(entries.values()),
        "refused": material.refused,
    }
    draft = out / (RUN + ".tmp")
    draft.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(out / RUN)
