"""How long a comparison will take, told before it starts: each method is tried on a few pictures and photos.

What grows with the gallery is scaled: describing and filling with the pictures, ranking and verification with the
candidates. Reading a list is taken as it is: for some thousand pictures its fixed part is the larger one.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.compare.material import ComparedPhoto, Material
from benchmarks.compare.methods import Method
from benchmarks.compare.parts.engine_lists import is_filled
from benchmarks.compare.parts.matcher import Matcher
from benchmarks.compare.parts.shortlists import ENGINE_LISTS
from benchmarks.compare.parts.workshop import Workshop, needs_gallery, photo_features, picture_features
from benchmarks.compare.run.pipeline import Pipeline

PICTURES, PHOTOS = 16, 3
"""How many pictures and photos each method is tried on."""
PREPARING = "describing and filling"
"""What comes before the methods."""


def forecast(
    folder: Path,
    material: Material,
    methods: Sequence[Method],
    due: dict[str, Sequence[ComparedPhoto]],
    *,
    threads: int = 1,
    matcher: Matcher | None = None,
) -> dict[str, float]:
    """The seconds that each method will take, by name, and those of PREPARING. folder: the cache, where features that
    the trial makes are kept; due: photos that each method has still to be run on."""
    methods = [m for m in methods if due[m.name]]
    if not methods:
        return {}
    sample = dataclasses.replace(
        material, pictures=_spread(material.pictures, PICTURES), photos=_spread(material.photos, PHOTOS)
    )
    with tempfile.TemporaryDirectory() as place:
        workshop = Workshop(folder, sample, threads=threads, gallery_folder=Path(place))
        try:
            rows = {m.name: _method(workshop, m, len(material.pictures), len(due[m.name]), matcher) for m in methods}
            return {PREPARING: _preparing(folder, workshop, material, methods, due), **rows}
        finally:
            workshop.close()


def _spread(items: tuple, count: int) -> tuple:  # type: ignore[type-arg]
    """`count` of the items, evenly from the whole, so that every set has its part."""
    return tuple(items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)))


def _preparing(
    folder: Path,
    workshop: Workshop,
    material: Material,
    methods: Sequence[Method],
    due: dict[str, Sequence[ComparedPhoto]],
) -> float:
    """Seconds to describe what is not kept yet and to fill Obverse's gallery."""
    sample = workshop.material
    ms = 0.0
    names = list(dict.fromkeys(n for m in methods for n in picture_features(m)))
    if names:
        missing = sum(bool(workshop.missing(names, p)) for p in material.pictures)
        ms += missing * float(np.mean([sum(workshop.ms(names, p)) for p in sample.pictures]))
    names = list(dict.fromkeys(n for m in methods for n in photo_features(m)))
    photos = {p for m in methods for p in due[m.name]}
    missing = sum(bool(workshop.missing(names, p)) for p in photos)
    ms += missing * float(np.mean([sum(workshop.ms(names, p)) for p in sample.photos]))
    seconds = ms / 1e3
    if any(needs_gallery(m) for m in methods) and not is_filled(folder, material.pictures):
        seconds += len(material.pictures) / max(workshop.gallery().adds_per_second, 1e-9)
    return seconds


def _method(workshop: Workshop, method: Method, gallery: int, photos: int, matcher: Matcher | None) -> float:
    """Seconds for a method: building its lists of `gallery` pictures, and answering `photos` photos."""
    pipeline = Pipeline(workshop, method, matcher=matcher)
    seconds = 0.0
    tried = workshop.material.pictures
    for name in method.shortlists:
        if name not in ENGINE_LISTS:
            started = time.perf_counter()
            workshop.shortlist(name).build([workshop.arrays(name, p) for p in tried])
            seconds += (time.perf_counter() - started) * gallery / len(tried)
    for photo in workshop.material.photos:  # compiles and warms
        pipeline.answer(photo)
    started = time.perf_counter()
    found = [pipeline.answer(p) for p in workshop.material.photos]
    spent = (time.perf_counter() - started) / len(found)
    stages = {s: float(np.mean([f.stages.get(s, 0.0) for f in found])) / 1e3 for f in found for s in f.stages}
    growing = {"rank": method.depth, "verify": method.verified or method.depth}
    if method.verifier != "obverse":  # the engine bounds its own
        for stage, most in growing.items():
            candidates = min(most or gallery, method.depth or gallery, gallery)
            spent += stages.get(stage, 0.0) * (candidates / min(candidates, len(tried)) - 1)
    return seconds + photos * spent
