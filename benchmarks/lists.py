"""Recall of the two lists by themselves, for one model folder or several: votes by preset, global descriptor.

    python -m benchmarks.lists SET... [--distractors DIR]... [--model DIR]... [--limit N] [--json FILE]

Everything is held in memory, nothing is read but pictures: quicker than filling a gallery for each model. Told
for each list: recall@1, 10, 100, 500 and 1,500 (photos without a right picture left out, ties counted against
us), bytes a picture, and milliseconds a photo on one thread without its description.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.sets import LIMITS, EvaluationSet, pictures_in, read_set
from engine import votes
from engine.config import EngineSettings
from engine.errors import ImageError
from engine.image import decode
from engine.keypoints import PHOTO_DETECTOR
from engine.local_features import LocalFeatures, describe_photo
from engine.recognizer import Recognizer
from engine.records import KEYPOINTS, from_bytes
from engine.runtime import DEFAULT_MODEL, PatchModel
from engine.values import Array, FloatArray
from engine.votes import HUGE, LARGE, MEDIUM, SMALL, VoteSettings

DEPTHS = (1, 10, 100, 500, 1500)
DEEPEST = 3000
PRESETS: dict[str, VoteSettings] = {
    "small: 400 keypoints, 2^14 words": SMALL,
    "medium: 200 keypoints, 2^16 words": MEDIUM,
    "large: 100 keypoints, 2^20 words": LARGE,
    "huge: 100 keypoints, 2^20 words": HUGE,
    "100 keypoints, 2^14 words": VoteSettings(keypoints=100, half_bits=7, words=5, hamming=20),
    "100 keypoints, 2^20 words, 8 a keypoint": VoteSettings(keypoints=100, half_bits=10, words=8, hamming=20),
    "100 keypoints, 2^20 words, 32 a keypoint": VoteSettings(keypoints=100, half_bits=10, words=32, hamming=20),
}
"""The engine's own, and others that tell what each choice costs."""


@dataclass(frozen=True)
class Stored:
    """The gallery: names; records (N, 400, 2) uint64 and counts (N,) as the engine keeps them; vectors (N, G)
    of whole numbers, as it keeps them in 8 bits."""

    names: list[str]
    records: Array
    counts: Array
    vectors: FloatArray


@dataclass(frozen=True)
class Photo:
    """right: numbers of the right pictures."""

    set: str
    right: frozenset[int]
    features: LocalFeatures


def lists(
    sets: Sequence[EvaluationSet], distractors: Sequence[Path], model: Path, *, workers: int = 2
) -> dict[str, Any]:
    """{"model", "pictures", "photos", "lists": {NAME: {"bytes", "ms", "all": {depth: recall}, "sets": {...}}}}."""
    settings = EngineSettings(model=model, limits=LIMITS, keep_pictures=False)
    with tempfile.TemporaryDirectory() as folder, Recognizer.open(Path(folder), settings) as recognizer:
        stored = _store(sets, distractors, recognizer, workers=workers)
        loaded, fingerprint = recognizer.model, recognizer.model.fingerprint
    photos = _photos(sets, stored, loaded)
    found: dict[str, Any] = {}
    with threadpool_limits(1):
        for name, preset in PRESETS.items():
            found[name] = {"bytes": preset.bytes_per_picture, **_judge(photos, _votes(stored, preset, loaded))}
        size = loaded.vocabulary.global_dimension
        found["global descriptor"] = {"bytes": size, **_judge(photos, _global(stored, loaded))}
    return {"model": fingerprint, "pictures": len(stored.names), "photos": len(photos), "lists": found}


def _store(
    sets: Sequence[EvaluationSet], distractors: Sequence[Path], recognizer: Recognizer, *, workers: int
) -> Stored:
    work = [(f"{s.name}/{p.relative_to(s.folder / 'refs')}", p) for s in sets for p in s.references()]
    work += [(f"//{p}", p) for p in distractors]

    def describe(item: tuple[str, Path]) -> tuple[str, Array, Array] | None:
        try:
            stored = recognizer.describe(item[1].read_bytes())[0]
        except ImageError:
            return None
        return item[0], from_bytes(stored.keypoints), np.frombuffer(stored.vector, np.int8)

    with ThreadPoolExecutor(workers) as pool:
        rows = [row for row in pool.map(describe, work) if row is not None]
    records = np.zeros((len(rows), KEYPOINTS, 2), np.uint64)
    for record, (_, packed, _) in zip(records, rows, strict=True):
        record[: len(packed)] = packed
    counts = np.array([len(packed) for _, packed, _ in rows], np.int64)
    vectors = np.stack([vector for _, _, vector in rows]).astype(np.float32)
    return Stored([name for name, _, _ in rows], records, counts, vectors)


def _photos(sets: Sequence[EvaluationSet], stored: Stored, model: PatchModel) -> list[Photo]:
    number = {name: i for i, name in enumerate(stored.names)}
    photos = []
    for one in sets:
        for query, references in sorted(one.truth.items()):
            if references:
                data = (one.folder / "queries" / query).read_bytes()
                features = describe_photo(decode(data, long_side=PHOTO_DETECTOR.long_side, limits=LIMITS)[0], model)
                right = frozenset(number[n] for r in references if (n := f"{one.name}/{r}") in number)
                photos.append(Photo(one.name, right, features))
    return photos


Search = Callable[[LocalFeatures], tuple[Array, FloatArray]]


def _votes(stored: Stored, preset: VoteSettings, model: PatchModel) -> Search:
    slots = np.arange(len(stored.names))
    segment = votes.build_segment(preset, slots, stored.records, stored.records[:0], stored.counts)
    allowed = np.ones(len(slots), np.uint8)

    def search(photo: LocalFeatures) -> tuple[Array, FloatArray]:
        words = model.vocabulary.nearest_words(photo.descriptors, half_bits=preset.half_bits, count=preset.words)
        signatures = model.vocabulary.signatures(photo.descriptors)
        return votes.search(segment, words, signatures, allowed, depth=DEEPEST)

    return search


def _global(stored: Stored, model: PatchModel) -> Search:
    def search(photo: LocalFeatures) -> tuple[Array, FloatArray]:
        scores = stored.vectors @ model.vocabulary.global_descriptor(photo.descriptors)
        order = np.argsort(-scores, kind="stable")[:DEEPEST]
        return order, scores[order]

    return search


def _judge(photos: Sequence[Photo], search: Search) -> dict[str, Any]:
    search(photos[0].features)  # compiles
    places, spent = [], []
    for photo in photos:
        started = time.perf_counter()
        ranked, scores = search(photo.features)
        spent.append(1e3 * (time.perf_counter() - started))
        mine = np.isin(ranked, list(photo.right))
        places.append(1 + (scores[~mine] >= scores[mine].max()).sum() if mine.any() else np.inf)
    names = np.array([photo.set for photo in photos])
    ranks = np.array(places)
    return {
        "ms": round(float(np.median(spent)), 2),
        "all": _shares(ranks),
        "sets": {name: _shares(ranks[names == name]) for name in dict.fromkeys(names.tolist())},
    }


def _shares(ranks: Array) -> dict[str, float]:
    return {str(depth): round(float((ranks <= depth).mean()), 4) for depth in DEPTHS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--distractors", action="append", type=Path, default=[])
    parser.add_argument("--model", action="append", type=Path, default=[])
    parser.add_argument("--limit", type=int, help="most pictures of each distractors folder")
    parser.add_argument("--json", type=Path, help="file to write; without it the figures are printed")
    chosen = parser.parse_args()
    sets = [read_set(folder) for folder in chosen.sets]
    others = [path for folder in chosen.distractors for path in pictures_in(folder)[: chosen.limit]]
    found = [lists(sets, others, folder) for folder in chosen.model or [DEFAULT_MODEL]]
    text = json.dumps(found, indent=1)
    if chosen.json:
        chosen.json.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
