"""Recall and time against the gallery's size: whole methods on real pictures, lists alone on made-up ones.

Real pictures come first: all references, then distractors, by decades. Beyond them only methods that are a list and
nothing else go on: made-up pictures are drawn from the descriptors of real ones, so that they crowd the same places.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.compare.files import GROWTH, Grown, write_rows
from benchmarks.compare.material import ComparedPhoto, Material
from benchmarks.compare.methods import Method
from benchmarks.compare.parts.engine_lists import EngineGallery, GlobalList, VotesList
from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.matcher import Matcher
from benchmarks.compare.parts.shortlists import ENGINE_LISTS, make_shortlist
from benchmarks.compare.parts.workshop import Workshop
from benchmarks.compare.progress import Tell
from benchmarks.compare.run.pipeline import Pipeline
from benchmarks.compare.settings import RunSettings
from benchmarks.places import place_of_right
from engine.describe.records import KEYPOINTS
from engine.values import Array, FloatArray

PHOTOS = 100
"""Photos of gallery pictures that are asked at each size, the sets taking turns."""
MOST_BYTES = 1_500_000_000
"""Of made-up descriptors in memory; a list whose next decade would take more stops before it."""
_STRETCH = 16
MARKS = (1, 10, 100)


def measure_growth(
    out: Path,
    material: Material,
    methods: Sequence[Method],
    settings: RunSettings,
    *,
    descriptors: int,
    tell: Tell | None = None,
) -> None:
    """Writes growth.csv: one row a method and size, ceilings left out. descriptors: up to how many the lists are
    filled with made-up pictures (a hash is one, a picture's local features some hundred)."""
    tell = tell or Tell()
    methods = [m for m in methods if not m.ceiling]
    photos = sample(material, settings.seed)
    rows: list[Grown] = []
    matcher = Matcher(settings.matcher, threads=settings.threads) if settings.matcher else None
    for size in decades(_references(material), len(material.pictures)):
        smaller = dataclasses.replace(material, pictures=material.pictures[:size])
        workshop = Workshop(out / "cache", smaller, threads=settings.threads)
        try:
            for method in methods:
                tell.begin(f"{method.name}, {size:,} pictures", len(photos))
                rows.append(_real(Pipeline(workshop, method, matcher=matcher), photos, tell))
            if size == len(material.pictures):
                for method in (m for m in methods if m.ranking is None and m.verifier is None):
                    tell.begin(f"{method.name}, made-up pictures", 1)
                    rows += made_up(workshop, method, photos, descriptors, settings.seed)
                    tell.step()
        finally:
            workshop.close()
    order = [m.name for m in methods]
    write_rows(out / GROWTH, sorted(rows, key=lambda r: (order.index(r.method), r.gallery)))


def decades(first: int, last: int) -> list[int]:
    """first, the powers of ten between, last."""
    return sorted({first, last, *(10**n for n in range(1, 10) if first < 10**n < last)})


def sample(material: Material, seed: int) -> list[ComparedPhoto]:
    """Up to PHOTOS photos of gallery pictures: the sets take turns, each in an order drawn with the seed."""
    turns: list[tuple[int, int, ComparedPhoto]] = []
    for number, one in enumerate(material.sets):
        mine = [p for p in material.photos if p.set == one.name and p.right]
        order = np.random.default_rng([seed, number]).permutation(len(mine))
        turns += [(turn, number, mine[i]) for turn, i in enumerate(order)]
    return [photo for _, _, photo in sorted(turns, key=lambda t: t[:2])[:PHOTOS]]


def _references(material: Material) -> int:
    """How many of the pictures stand in front of the distractors."""
    own = {s.name for s in material.sets}
    return sum(p.set in own for p in material.pictures)


def _real(pipeline: Pipeline, photos: Sequence[ComparedPhoto], tell: Tell) -> Grown:
    """The whole method, with the cost of describing the photo."""
    spent, ranks = [], []
    pipeline.answer(photos[0])  # warms caches and compiled code
    for photo in photos:
        found = pipeline.answer(photo)
        spent.append(sum(found.stages.values()))
        ranks.append(rank_of(found.numbers, found.scores, pipeline.workshop.material, photo))
        tell.step()
    return grown(pipeline.method, len(pipeline.workshop.material.pictures), ranks, spent)


def grown(method: Method, size: int, ranks: Sequence[float], spent: Sequence[float]) -> Grown:
    first, tenth, hundredth = (float(np.mean([r <= mark for r in ranks])) for mark in MARKS)
    return Grown(method.name, size, len(ranks), first, tenth, hundredth, float(np.median(spent)))


def rank_of(numbers: Array, scores: FloatArray, material: Material, photo: ComparedPhoto) -> float:
    """Place of the best right picture behind all wrong ones of equal score; infinite where there is none."""
    right = [n for n, p in enumerate(material.pictures) if p.set == photo.set and p.ref in photo.right]
    return place_of_right(scores, np.isin(numbers, right))


# Made-up pictures


def made_up(
    workshop: Workshop, method: Method, photos: Sequence[ComparedPhoto], descriptors: int, seed: int
) -> list[Grown]:
    """The list alone at each decade of descriptors beyond the real pictures."""
    name = method.shortlists[0]
    if len(method.shortlists) > 1:
        return []
    engine = name in ENGINE_LISTS
    describer = "patches" if engine else name
    arrays = {photo: workshop.arrays(describer, photo) for photo in photos}
    real = len(workshop.material.pictures)
    kept = [] if engine else [workshop.arrays(name, p) for p in workshop.material.pictures]
    per_picture = 1.0 if name == "global" else float(np.mean([_descriptors(a) for a in kept])) if kept else KEYPOINTS
    rows = []
    for total in decades(1, descriptors):
        more = int(total / max(per_picture, 1)) - real
        if more <= 0:
            continue
        rng = np.random.default_rng([seed, total])
        if engine:
            search = _engine_search(workshop.gallery(), name, more, rng)
        else:
            if (real + more) * max(sum(a.nbytes for a in kept[0].values()), 400) > MOST_BYTES:
                break
            one = make_shortlist(name)
            one.build([*kept, *invent(kept, more, rng)])
            search = one.search
        spent, ranks = [], []
        search(arrays[photos[0]], MARKS[-1])
        for photo in photos:
            started = time.perf_counter()
            numbers, scores = search(arrays[photo], MARKS[-1])
            searched = 1e3 * (time.perf_counter() - started)
            spent.append(sum(workshop.ms([describer], photo)) + searched)
            ranks.append(rank_of(numbers, scores, workshop.material, photo))
        rows.append(grown(method, real + more, ranks, spent))
    return rows


def _descriptors(described: Arrays) -> int:
    """How many a described picture has: its local features, or the one of the whole."""
    return len(described["xy"]) if "xy" in described else 1


def invent(real: Sequence[Arrays], count: int, rng: np.random.Generator) -> list[Arrays]:
    """Described pictures that resemble the real ones. Local features: rows drawn from all pictures, three bits of
    each turned where they are bits. Bits of the whole: each byte from another picture. Vectors: `recombined`."""
    if "xy" in real[0]:
        pool = {name: np.concatenate([a[name] for a in real]) for name in ("xy", "scale", "angle", "descriptors")}
        return [_drawn(pool, real[int(rng.integers(len(real)))]["size"], len(real[i % len(real)]["xy"]), rng)
                for i in range(count)]  # fmt: skip
    (name,) = real[0]
    values = np.stack([a[name] for a in real])
    if name == "bits":
        width = values.shape[1]
        bits = values[rng.integers(0, len(values), (count, width)), np.arange(width)]
        return [{name: row} for row in bits]
    return [{name: row} for row in recombined(values, count, rng)]


def recombined(values: Array, count: int, rng: np.random.Generator) -> Array:
    """(count, ..., D) of (N, ..., D): stretches of _STRETCH entries by turns from two pictures. Means of two would
    crowd in the middle, and lie nearer to every photo than any real picture does."""
    made = np.empty((count, *values.shape[1:]), values.dtype)
    stretches = -(-values.shape[-1] // _STRETCH)
    for start in range(0, count, 10_000):
        size = min(10_000, count - start)
        first, second = (values[rng.integers(0, len(values), size)] for _ in range(2))
        which = rng.integers(0, 2, (size, *[1] * (values.ndim - 2), stretches)).repeat(_STRETCH, -1)
        made[start : start + size] = np.where(which[..., : values.shape[-1]] == 0, first, second)
    if made.dtype.kind == "f":
        made /= np.maximum(np.linalg.norm(made, axis=-1, keepdims=True), 1e-9)
    return made


def _drawn(pool: Arrays, size: Array, count: int, rng: np.random.Generator) -> Arrays:
    rows = rng.integers(0, len(pool["xy"]), count)
    drawn = {name: values[rows] for name, values in pool.items()}
    if drawn["descriptors"].dtype == np.uint64:
        words = drawn["descriptors"].shape[1]
        for _ in range(3):
            bit = np.uint64(1) << rng.integers(0, 64, count, np.uint64)
            drawn["descriptors"][np.arange(count), rng.integers(0, words, count)] ^= bit
    return {**drawn, "size": size}


def _engine_search(
    gallery: EngineGallery, name: str, more: int, rng: np.random.Generator
) -> Callable[[Arrays, int], tuple[Array, FloatArray]]:
    """One of the engine's lists over its pictures and made-up ones, whose numbers are -1."""
    ids = gallery.ids()
    records, keypoints, vectors = gallery.recognizer.index.extract(ids)
    numbers = np.concatenate([gallery.numbers(ids), np.full(more, -1, np.int64)])
    if name == "global":
        by_global = GlobalList(gallery)
        by_global.hold(np.concatenate([vectors, recombined(vectors, more, rng)]), numbers)
        return by_global.search
    pool = np.concatenate([record[:count] for record, count in zip(records, keypoints, strict=True)])
    made_up = np.zeros((more, KEYPOINTS, 2), np.uint64)
    for record in made_up:
        record[:] = pool[rng.integers(0, len(pool), KEYPOINTS)]
        for _ in range(3):
            record[:, 0] ^= np.uint64(1) << rng.integers(0, 64, KEYPOINTS, np.uint64)
    by_votes = VotesList(gallery)
    counts = np.concatenate([keypoints, np.full(more, KEYPOINTS, np.int32)])
    by_votes.hold(np.concatenate([records, made_up]), counts, numbers)
    return by_votes.search
