"""Methods over photos to files: what is in them already is not run again, and an interrupted run goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import faiss
import numpy as np
import threadpoolctl

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
from benchmarks.compare.methods import Method, Verifier
from benchmarks.compare.parts.local_features import fingerprint
from benchmarks.compare.parts.matcher import Matcher
from benchmarks.compare.parts.workshop import (
    Workshop,
    needs_gallery,
    photo_features,
    picture_features,
    verifier_features,
)
from benchmarks.compare.progress import Tell
from benchmarks.compare.run.pipeline import Found, Pipeline, check_method
from benchmarks.compare.settings import RunSettings
from engine.describe.patch_model import PatchModel
from engine.settings import DEFAULT_MODEL

TOTAL = "total"
"""Stage that closes a photo in timings.csv: a photo without it was interrupted and is run again."""
KEPT_ROWS = 100
_PACKAGES = ("numpy", "opencv-python-headless", "faiss-cpu", "onnxruntime", "numba", "scipy", "imagehash", "pdqhash")
_CLOSED = (Prediction, PREDICTIONS), (Listed, SHORTLIST), (Timing, TIMINGS)


class OtherRun(ValueError):
    """The folder holds a run of other arguments."""

    def __init__(self, out: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"{out} holds a run with other {', '.join(names)}; give another --out, or --overwrite to start anew "
            "(what is in its cache stays and is used)"
        )


def run(
    out: Path,
    material: Material,
    methods: Sequence[Method],
    settings: RunSettings,
    *,
    command: str,
    tell: Tell | None = None,
    overwrite: bool = False,
) -> None:
    """Runs each method over the photos and writes the run folder. Raises OtherRun, ValueError, ModelError."""
    tell = tell or Tell()
    matcher = Matcher(settings.matcher, threads=settings.threads) if settings.matcher else None
    for method in methods:
        check_method(method, matcher)
    out.mkdir(parents=True, exist_ok=True)
    facts = describe_run(material, settings, command=command)
    before = check_folder(out, facts, overwrite=overwrite)
    # Timings are of so many threads as are asked for, the libraries' own pools included.
    cv2.setNumThreads(settings.threads)
    faiss.omp_set_num_threads(settings.threads)
    close_interrupted(out)
    chosen = {m.name: photos_of(m, material, settings) for m in methods}
    missing = due_photos(out, methods, material, settings)
    entries = {e["name"]: e for e in before.get("methods", [])}
    workshop = Workshop(out / "cache", material, threads=settings.threads)
    try:
        with threadpoolctl.threadpool_limits(settings.threads):
            due = [m for m in methods if missing[m.name]]
            write_run(out, facts, material, entries)
            prepare(workshop, due, missing, tell)
            for method in due:
                photos = missing[method.name]
                tell.begin(method.name, len(photos))
                pipeline = Pipeline(workshop, method, matcher=matcher)
                entries[method.name] = describe_method(method, workshop, pipeline, len(chosen[method.name]))
                write_run(out, facts, material, entries)
                pipeline.answer(photos[0])  # warms caches and compiled code; not kept
                for photo in photos:
                    write_found(out, method, photo, pipeline.answer(photo), material)
                    tell.step()
    finally:
        workshop.close()


def due_photos(
    out: Path, methods: Sequence[Method], material: Material, settings: RunSettings
) -> dict[str, Sequence[ComparedPhoto]]:
    """Photos that each method has not been run on yet."""
    done = done_photos(out)
    return {
        m.name: [p for p in photos_of(m, material, settings) if (m.name, p.set, p.query) not in done] for m in methods
    }


def prepare(
    workshop: Workshop, methods: Sequence[Method], chosen: dict[str, Sequence[ComparedPhoto]], tell: Tell
) -> None:
    """Describes all pictures and photos that the methods need, and fills Obverse's gallery."""
    of_pictures = list(dict.fromkeys(name for m in methods for name in picture_features(m)))
    missing = [p for p in workshop.material.pictures if workshop.missing(of_pictures, p)]
    if missing:
        tell.begin("describing pictures", len(missing))
        for picture in missing:
            workshop.describe(of_pictures, picture)
            tell.step()
    wanted: dict[ComparedPhoto, list[str]] = {}
    for method in methods:
        for photo in chosen[method.name]:
            wanted.setdefault(photo, []).extend(photo_features(method))
    photos = {photo: names for photo, names in wanted.items() if workshop.missing(names, photo)}
    if photos:
        tell.begin("describing photos", len(photos))
        for photo, names in photos.items():
            workshop.describe(names, photo)
            tell.step()
    if any(needs_gallery(m) for m in methods):
        tell.begin("filling Obverse's gallery", len(workshop.material.pictures))
        workshop.gallery(tell.step)


def photos_of(method: Method, material: Material, settings: RunSettings) -> tuple[ComparedPhoto, ...]:
    """All photos, or for a ceiling a sample: the sets take turns, each in an order drawn with the seed."""
    count = settings.ceiling_queries
    if not method.ceiling or count is None or count >= len(material.photos):
        return material.photos
    turns: list[tuple[int, int, ComparedPhoto]] = []
    for number, one in enumerate(material.sets):
        mine = [p for p in material.photos if p.set == one.name]
        order = np.random.default_rng([settings.seed, number]).permutation(len(mine))
        turns += [(turn, number, mine[i]) for turn, i in enumerate(order)]
    chosen = {photo for _, _, photo in sorted(turns, key=lambda t: t[:2])[:count]}
    return tuple(p for p in material.photos if p in chosen)


# What is in the folder already


def check_folder(out: Path, facts: dict[str, Any], *, overwrite: bool) -> dict[str, Any]:
    """The earlier run.json, {} where there is none. Raises OtherRun where it was of other arguments."""
    path = out / RUN
    if not path.exists():
        return {}
    before: dict[str, Any] = json.loads(path.read_text())
    differing = [name for name, value in facts["arguments"].items() if before["arguments"].get(name) != value]
    if not differing and not overwrite:
        return before
    if not overwrite:
        raise OtherRun(out, differing)
    for name in (RUN, GEOMETRY, *(name for _, name in _CLOSED)):
        (out / name).unlink(missing_ok=True)
    return {}


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
    """The first rows of the list, and right pictures behind them at their places: there a picture stands behind
    all wrong ones of equal score."""
    right = np.array([n for n, p in enumerate(material.pictures) if p.set == photo.set and p.ref in photo.right])
    hits = np.isin(found.listed, right)
    for at in np.flatnonzero(hits | (np.arange(len(found.listed)) < KEPT_ROWS)):
        score, rank = found.listed_scores[at], int(at) + 1
        if at >= KEPT_ROWS:
            rank = int((found.listed_scores[~hits] >= score).sum() + (hits[: at + 1]).sum())
        name = material.pictures[int(found.listed[at])].named_in(photo.set)
        yield Listed(method.name, photo.set, photo.query, rank, name, float(score))


def describe_method(method: Method, workshop: Workshop, pipeline: Pipeline, photos: int) -> dict[str, Any]:
    """Its entry in run.json."""
    threshold = method.threshold
    if method.verifier == "obverse":
        threshold = workshop.gallery().recognizer.default_threshold
    verifier = dataclasses.asdict(method.verifier) if isinstance(method.verifier, Verifier) else method.verifier
    return {
        "name": method.name,
        "about": method.about,
        "shortlists": list(method.shortlists),
        "ranking": method.ranking,
        "verifier": {"features": "obverse"} if verifier == "obverse" else verifier,
        "threshold": threshold,
        "threshold_source": method.threshold_source,
        "ceiling": method.ceiling,
        "sample": photos if photos < len(workshop.material.photos) else None,
        "depth": method.depth,
        "verified": method.verified if verifier else None,
        "bytes_per_picture": round(_bytes(method, workshop, pipeline), 1),
        "adds_per_second": round(_adds_per_second(method, workshop), 2),
    }


def _bytes(method: Method, workshop: Workshop, pipeline: Pipeline) -> float:
    pictures = workshop.material.pictures
    if method.verifier == "obverse":
        return workshop.gallery().bytes_per_picture()
    lists = sum(one.bytes_per_picture() for one in pipeline.lists)
    if method.ranking == "geometry":
        lists += workshop.gallery().recognizer.gallery.memory()["records"] / max(len(pictures), 1)
    return lists + sum(workshop.bytes(name, pictures) for name in verifier_features(method))


def _adds_per_second(method: Method, workshop: Workshop) -> float:
    """One after the other: decoding, describing, and the share of what builds the index."""
    pictures, names = workshop.material.pictures, picture_features(method)
    seconds = sum(workshop.build_seconds.get(name, 0.0) for name in method.shortlists) / len(pictures)
    if names:
        seconds += sum(sum(workshop.ms(names, p)) for p in pictures) / 1e3 / len(pictures)
    if needs_gallery(method):
        seconds += 1 / max(workshop.gallery().adds_per_second, 1e-9)
    return 1 / max(seconds, 1e-9)


def describe_run(material: Material, settings: RunSettings, *, command: str) -> dict[str, Any]:
    """run.json without its methods. arguments: what an earlier run in the folder must share."""
    gallery = hashlib.sha256("\n".join(f"{p.set}/{p.ref} {p.sha}" for p in material.pictures).encode())
    photos = hashlib.sha256("\n".join(f"{p.set}/{p.query} {p.sha}" for p in material.photos).encode())
    truth = hashlib.sha256(repr([(p.query, sorted(p.right)) for p in material.photos]).encode())
    return {
        "command": command,
        "commit": _commit(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "threads": settings.threads,
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "seed": settings.seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "arguments": {
            "pictures": gallery.hexdigest()[:16],
            "photos": photos.hexdigest()[:16],
            "truth": truth.hexdigest()[:16],
            "seed": settings.seed,
            "threads": settings.threads,
            "ceiling_queries": settings.ceiling_queries,
            "matcher": _digest(settings.matcher) if settings.matcher else None,
            # Answers of another network, other keypoints or another fit must not stand beside these.
            "model": f"{fingerprint(PatchModel())}-{_digest(DEFAULT_MODEL / 'calibration.json')}",
        },
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def write_run(out: Path, facts: dict[str, Any], material: Material, entries: dict[str, dict[str, Any]]) -> None:
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
    draft.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    draft.replace(out / RUN)


def _commit() -> str:
    """Of the source tree that runs, with a mark for changes; empty for an installed package."""
    git = shutil.which("git")
    place = Path(__file__).resolve().parents[2]
    if git is None or not (place / ".git").exists():
        return ""
    words = [git, "-C", str(place), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
