"""Votes in Obverse's inverted file against FAISS's own inverted lists, on the same descriptors.

    python -m benchmarks.speed.inverted_files FOLDER_OF_PICTURES [NUMBER]

Some of the pictures are photographed by simulation. The JSON tells for each method: milliseconds a photo (one thread,
word search and voting), bytes a keypoint, and how often the photo's picture has the most votes, or one of the ten most.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from engine.describe.features import LocalFeatures, describe_photo, describe_picture, pack_features
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.patch_model import PatchModel
from engine.describe.records import KEYPOINTS
from engine.image import resize_long_side
from engine.image_files import list_pictures, read_rgb
from engine.shortlist import votes
from engine.threads import one_thread_each
from engine.values import Array
from training.simulation.photographs import simulate

LISTS = 4096
"""Lists of FAISS's inverted files."""
PROBES = 4
"""Lists that FAISS reads for a keypoint."""


def compare(folder: Path, *, number: int = 1000, photos: int = 60) -> list[dict[str, Any]]:
    """A row for each method: the votes of `photos` photos among the first `number` pictures of the folder."""
    model, rng = PatchModel(), np.random.default_rng(0)
    pictures = [p for p in map(read_rgb, list_pictures(folder)[:number]) if p is not None]
    stored = [describe_picture(p, model) for p in pictures]
    shots = []
    for i in rng.permutation(len(pictures))[:photos]:
        photo = simulate(pictures[i], [pictures[i - 1]], rng, strength=0.8)[0]
        shots.append((int(i), describe_photo(resize_long_side(photo, PHOTO_DETECTOR.long_side), model)))
    descriptors = np.concatenate([f.descriptors for f in stored])
    owners = np.repeat(np.arange(len(stored)), [len(f.keypoints) for f in stored])
    counts = np.bincount(owners, minlength=len(stored))
    rows = [_judge("Obverse: multi-index words + 64-bit signatures", 12, _ours(model, stored), shots)]
    for name, index, radius in _faiss_indexes(descriptors):
        rows.append(_judge(name, index.code_size + 8, _theirs(index, owners, counts, radius), shots))
    binary, radius = _binary(model, descriptors), 20
    rows.append(_judge("FAISS IndexBinaryIVF", 16, _binary_votes(model, binary, owners, counts, radius), shots))
    return rows


def _ours(model: PatchModel, stored: list[LocalFeatures]) -> Callable[[LocalFeatures], Array]:
    records = np.zeros((len(stored), KEYPOINTS, 2), np.uint64)
    counts = np.zeros(len(stored), np.int32)
    for i, features in enumerate(stored):
        packed = pack_features(features, model)
        records[i, : len(packed)], counts[i] = packed, len(packed)
    segment = votes.build_segment(votes.SMALL, np.arange(len(stored)), records, records[:0], counts)
    allowed = np.ones(len(stored), np.uint8)

    def search(photo: LocalFeatures) -> Array:
        preset, vocabulary = segment.settings, model.vocabulary
        words = vocabulary.nearest_words(photo.descriptors, half_bits=preset.half_bits, count=preset.words)
        return votes.search(segment, words, vocabulary.signatures(photo.descriptors), allowed, depth=10)[0]

    return search


def _faiss_indexes(descriptors: Array) -> list[tuple[str, Any, float]]:
    dimension = descriptors.shape[1]
    spectral = faiss.IndexIVFSpectralHash(faiss.IndexFlatL2(dimension), dimension, LISTS, 64, 10)
    # Radii by trial on other photos: bits for the spectral hash, squared distance for RaBitQ.
    rabitq = faiss.IndexIVFRaBitQ(faiss.IndexFlatL2(dimension), dimension, LISTS, faiss.METRIC_L2)
    result = []
    for name, index, radius in (
        ("FAISS IndexIVFSpectralHash", spectral, 20.0),
        ("FAISS IndexIVFRaBitQ", rabitq, 0.7),
    ):
        index.train(descriptors[:: max(1, len(descriptors) // 160_000)])
        index.add(descriptors)
        index.nprobe = PROBES
        result.append((name, index, radius))
    return result


def _binary(model: PatchModel, descriptors: Array) -> faiss.IndexBinaryIVF:
    bits = _bits(model, descriptors)
    index = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(64), 64, LISTS)
    index.train(bits[:: max(1, len(bits) // 160_000)])
    index.add(bits)
    index.nprobe = PROBES
    return index


def _bits(model: PatchModel, descriptors: Array) -> Array:
    return model.vocabulary.signatures(descriptors).view(np.uint8).reshape(-1, 8)


def _theirs(index: Any, owners: Array, counts: Array, radius: float) -> Callable[[LocalFeatures], Array]:
    def search(photo: LocalFeatures) -> Array:
        limits, distance, found = index.range_search(photo.descriptors, radius)
        return _tally(limits, distance / max(radius, 1e-9), found, owners, counts)

    return search


def _binary_votes(
    model: PatchModel, index: faiss.IndexBinaryIVF, owners: Array, counts: Array, radius: int
) -> Callable[[LocalFeatures], Array]:
    def search(photo: LocalFeatures) -> Array:
        limits, distance, found = index.range_search(_bits(model, photo.descriptors), radius)
        return _tally(limits, distance / radius, found, owners, counts)

    return search


def _tally(limits: Array, distance: Array, found: Array, owners: Array, counts: Array) -> Array:
    """The ten pictures with the most votes. Each photo keypoint votes once for a picture, by its nearest posting, as
    Obverse's kernel counts."""
    lengths: Array = np.diff(limits.astype(np.int64))
    keypoint = np.repeat(np.arange(len(limits) - 1), lengths)
    owner = owners[found]
    order = np.lexsort((distance, owner, keypoint))
    pairs = keypoint[order] * len(counts) + owner[order]
    first = order[np.unique(pairs, return_index=True)[1]]
    frequency = np.bincount(keypoint, minlength=len(limits) - 1)
    idf = np.log(len(owners) / np.maximum(frequency[keypoint[first]], 1)) ** 2
    weight = np.exp(-((distance[first] * 20 / 14) ** 2)) * idf
    return np.argsort(-np.bincount(owner[first], weight, minlength=len(counts)) / np.sqrt(np.maximum(counts, 1)))[:10]


def _judge(
    name: str, size: int, search: Callable[[LocalFeatures], Array], shots: list[tuple[int, LocalFeatures]]
) -> dict[str, Any]:
    search(shots[0][1])
    times, places = [], []
    for right, photo in shots:
        started = time.perf_counter()
        ranked = search(photo)
        times.append(1e3 * (time.perf_counter() - started))
        places.append(list(ranked).index(right) if right in ranked else 99)
    return {
        "method": name,
        "bytes_per_keypoint": size,
        "p50_ms": round(float(np.median(times)), 2),
        "recall_at_1": round(float(np.mean(np.array(places) < 1)), 3),
        "recall_at_10": round(float(np.mean(np.array(places) < 10)), 3),
    }


if __name__ == "__main__":
    with one_thread_each():
        rows = compare(Path(sys.argv[1]), number=int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    print(json.dumps(rows, indent=1))
