"""Recall of the two lists by themselves, for one model folder or several: votes by preset, global descriptor.

    python -m benchmarks.accuracy.lists SET... [--distractors DIR]... [--model DIR]... [--baseline NAME]... [--limit N]
        [--json FILE]

Everything is held in memory, nothing is read but pictures: quicker than filling a gallery for each model. For each
list the JSON tells recall@1, 10, 100, 500 and 1,500 (photos without a right picture left out, ties counted against
us), bytes a picture, and milliseconds a photo on one thread, those of its description apart. A baseline is a list
of `obverse compare`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.accuracy.list_recall import DEEPEST, Asked, Described, list_recall
from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.shortlists import SHORTLISTS, make_shortlist
from benchmarks.sets import EvaluationSet, read_set
from engine.describe.features import LocalFeatures, describe_photo
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import KEYPOINTS, from_bytes
from engine.errors import ImageError
from engine.image import decode
from engine.image_files import LIMITS, list_pictures
from engine.recognizer import Recognizer
from engine.settings import DEFAULT_MODEL, EngineSettings
from engine.shortlist import votes
from engine.shortlist.votes import HUGE, LARGE, MEDIUM, SMALL, VoteSettings
from engine.values import Array, ColorImage, FloatArray

PRESETS: dict[str, VoteSettings] = {
    "small: 400 keypoints, 2^14 words": SMALL,
    "medium: 200 keypoints, 2^16 words": MEDIUM,
    "large: 100 keypoints, 2^20 words": LARGE,
    "huge: 100 keypoints, 2^20 words": HUGE,
    "100 keypoints, 2^14 words": VoteSettings(keypoints=100, half_bits=7, words=5, hamming=16),
    "100 keypoints, 2^20 words, 8 a keypoint": VoteSettings(keypoints=100, half_bits=10, words=8, hamming=20),
    "100 keypoints, 2^20 words, 32 a keypoint": VoteSettings(keypoints=100, half_bits=10, words=32, hamming=20),
}
"""Settings of the votes by name: the engine's own, and others that tell what each choice costs."""


@dataclass(frozen=True)
class Stored:
    """The gallery of N pictures, as the engine keeps them."""

    names: list[str]
    """The pictures' names, as `_pictures` gives them."""
    records: Array
    """(N, 400, 2) uint64: each picture's packed keypoints, zeros behind its last one."""
    counts: Array
    """(N,) Keypoints of each picture."""
    vectors: FloatArray
    """(N, G) The global descriptors: whole numbers, which the engine keeps in 8 bits each."""


def measure_lists(
    sets: Sequence[EvaluationSet], distractors: Sequence[Path], model: Path, *, workers: int = 2
) -> dict[str, Any]:
    """The engine's lists with one model: {"model", "pictures", "photos", "describe_ms", "lists": {NAME: {"bytes", "ms",
    "all": {depth: recall}, "sets": {...}}}}. describe_ms is the time of a photo's keypoints and descriptors; the ms of
    a list are without it."""
    settings = EngineSettings(model=model, limits=LIMITS, keep_pictures=False)
    with tempfile.TemporaryDirectory() as folder, Recognizer.open(Path(folder), settings) as recognizer:
        stored = _store(sets, distractors, recognizer, workers=workers)
        loaded, fingerprint = recognizer.model, recognizer.model.fingerprint
    found: dict[str, Any] = {}
    with threadpool_limits(1):
        photos, spent = _photos(sets, stored, loaded)
        for name, preset in PRESETS.items():
            found[name] = {"bytes": preset.bytes_per_picture, **list_recall(photos, _votes(stored, preset, loaded))}
        size = loaded.vocabulary.global_dimension
        for name, windows in (("global descriptor", False), ("global descriptor, also of nine windows", True)):
            search = _global(stored, loaded, windows=windows, min_keypoints=settings.min_keypoints)
            found[name] = {"bytes": size, **list_recall(photos, search)}
    sizes = {"pictures": len(stored.names), "photos": len(photos)}
    return {"model": fingerprint, **sizes, "describe_ms": spent, "lists": found}


def measure_baseline(
    sets: Sequence[EvaluationSet], distractors: Sequence[Path], name: str, *, workers: int = 2
) -> dict[str, Any]:
    """What `measure_lists` tells of the engine's lists, of one list of `obverse compare`. name: one of SHORTLISTS."""
    one = make_shortlist(name)
    names, paths = zip(*_pictures(sets, distractors), strict=True)

    def describe(path: Path) -> Arrays | None:
        try:
            return one.describe(_small(path), photo=False)
        except ImageError:
            return None

    with ThreadPoolExecutor(workers) as pool:
        described = list(pool.map(describe, paths))
    kept = [(n, d) for n, d in zip(names, described, strict=True) if d is not None]
    with threadpool_limits(1):
        one.build([d for _, d in kept])
        photos, spent = _asked(sets, [n for n, _ in kept], lambda path: partial(one.describe, _small(path), photo=True))
        row = {"bytes": one.bytes_per_picture(), **list_recall(photos, partial(one.search, k=DEEPEST))}
    sizes = {"pictures": len(kept), "photos": len(photos)}
    return {"model": name, **sizes, "describe_ms": spent, "lists": {name: row}}


def _store(
    sets: Sequence[EvaluationSet], distractors: Sequence[Path], recognizer: Recognizer, *, workers: int
) -> Stored:
    def describe(item: tuple[str, Path]) -> tuple[str, Array, Array] | None:
        try:
            stored = recognizer.describe(item[1].read_bytes()).features
        except ImageError:
            return None
        return item[0], from_bytes(stored.keypoints), np.frombuffer(stored.vector, np.int8)

    with ThreadPoolExecutor(workers) as pool:
        rows = [row for row in pool.map(describe, _pictures(sets, distractors)) if row is not None]
    records = np.zeros((len(rows), KEYPOINTS, 2), np.uint64)
    for record, (_, packed, _) in zip(records, rows, strict=True):
        record[: len(packed)] = packed
    counts = np.array([len(packed) for _, packed, _ in rows], np.int64)
    vectors = np.stack([vector for _, _, vector in rows]).astype(np.float32)
    return Stored([name for name, _, _ in rows], records, counts, vectors)


def _pictures(sets: Sequence[EvaluationSet], distractors: Sequence[Path]) -> list[tuple[str, Path]]:
    """Names and files of the gallery: SET/REFERENCE, or a path that no reference can have."""
    references = [(f"{s.name}/{p.relative_to(s.folder / 'refs')}", p) for s in sets for p in s.references()]
    return references + [(f"//{p}", p) for p in distractors]


def _small(path: Path) -> ColorImage:
    return decode(path.read_bytes(), long_side=PHOTO_DETECTOR.long_side, limits=LIMITS)[0]


def _photos(
    sets: Sequence[EvaluationSet], stored: Stored, model: PatchModel
) -> tuple[list[Asked[LocalFeatures]], float]:
    return _asked(sets, stored.names, lambda path: partial(describe_photo, _small(path), model))


def _asked(
    sets: Sequence[EvaluationSet], names: Sequence[str], reader: Callable[[Path], Callable[[], Described]]
) -> tuple[list[Asked[Described]], float]:
    """The photos that show a picture, described, and the median of the milliseconds that it took; `reader` reads
    a file and gives what describes it, so that only the description is timed."""
    number = {name: i for i, name in enumerate(names)}
    photos, spent = [], []
    for one in sets:
        for query, references in sorted(one.truth.items()):
            if references:
                describe = reader(one.folder / "queries" / query)
                started = time.perf_counter()
                described = describe()
                spent.append(1e3 * (time.perf_counter() - started))
                right = frozenset(number[n] for r in references if (n := f"{one.name}/{r}") in number)
                photos.append((one.name, right, described))
    return photos, round(float(np.median(spent)), 2)


Search = Callable[[LocalFeatures], tuple[Array, FloatArray]]


def _votes(stored: Stored, preset: VoteSettings, model: PatchModel) -> Search:
    places = np.arange(len(stored.names))
    segment = votes.build_segment(preset, places, stored.records, stored.records[:0], stored.counts)
    allowed = np.ones(len(places), np.uint8)

    def search(photo: LocalFeatures) -> tuple[Array, FloatArray]:
        words = model.vocabulary.nearest_words(photo.descriptors, half_bits=preset.half_bits, count=preset.words)
        signatures = model.vocabulary.signatures(photo.descriptors)
        return votes.search(segment, words, signatures, allowed, depth=DEEPEST)

    return search


def _global(stored: Stored, model: PatchModel, *, windows: bool, min_keypoints: int) -> Search:
    def search(photo: LocalFeatures) -> tuple[Array, FloatArray]:
        query = Query(photo, model.vocabulary, windows=windows, min_keypoints=min_keypoints)
        scores = (stored.vectors @ query.global_vectors.T).max(1)
        order = np.argsort(-scores, kind="stable")[:DEEPEST]
        return order, scores[order]

    return search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--distractors", action="append", type=Path, default=[])
    parser.add_argument("--model", action="append", type=Path, default=[])
    # "everything" has no order that a recall could be read from.
    parser.add_argument("--baseline", action="append", choices=sorted({*SHORTLISTS} - {"everything"}), default=[])
    parser.add_argument("--limit", type=int, help="most pictures of each distractors folder")
    parser.add_argument("--json", type=Path, help="file to write; without it the figures are printed")
    chosen = parser.parse_args()
    sets = [read_set(folder) for folder in chosen.sets]
    others = [path for folder in chosen.distractors for path in list_pictures(folder)[: chosen.limit]]
    models = chosen.model or ([] if chosen.baseline else [DEFAULT_MODEL])
    found = [measure_lists(sets, others, folder) for folder in models]
    found += [measure_baseline(sets, others, name) for name in chosen.baseline]
    text = json.dumps(found, indent=1)
    if chosen.json:
        chosen.json.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
