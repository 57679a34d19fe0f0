"""RUN: methods over photos to files. What is in the files already is not run again, and an interrupted run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.compare.material import ComparedPhoto, Material
from benchmarks.compare.methods import Method
from benchmarks.compare.parts.matcher import Matcher
from benchmarks.compare.parts.workshop import Workshop, needs_gallery, photo_features, picture_features
from benchmarks.compare.progress import Tell
from benchmarks.compare.run.facts import describe_method, describe_run
from benchmarks.compare.run.folder import check_folder, close_interrupted, done_photos, write_found, write_run
from benchmarks.compare.run.pipeline import Pipeline, check_method
from benchmarks.compare.settings import RunSettings


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
    """Runs each method over the photos and writes the run folder. Raises OtherRun, another ResearchError where a method
    or a file cannot be used, ModelError."""
    tell = tell or Tell()
    matcher = Matcher(settings.matcher, threads=settings.threads) if settings.matcher else None
    for method in methods:
        check_method(method, matcher)
    out.mkdir(parents=True, exist_ok=True)
    facts = describe_run(material, settings, command=command)
    before = check_folder(out, facts, overwrite=overwrite)
    close_interrupted(out)
    chosen = {m.name: photos_of(m, material, settings) for m in methods}
    missing = due_photos(out, methods, material, settings)
    entries = {e["name"]: e for e in before.get("methods", [])}
    # While the workshop is open the libraries' own pools have the threads, too, that run.json tells of.
    workshop = Workshop(out / "cache", material, threads=settings.threads)
    try:
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
