"""How the index grows: latency, memory and disk against the number of pictures.

Keypoints of real pictures are repeated: each made-up picture draws its keypoints at random from those of the
given pictures, with a few signature bits flipped, so that the lists of the inverted file are as uneven as
real ones. Recall is not measured here: `obverse recall` does that on real pictures.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.catalogue import Catalogue
from engine.describe.features import LocalFeatures, describe_photo
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import KEYPOINTS, from_bytes, unpack
from engine.describe.vocabulary import Vocabulary, coarsen
from engine.errors import ImageError
from engine.image import decode, resize_long_side
from engine.image_files import LIMITS, list_pictures
from engine.index import snapshot
from engine.index.embedded import SHARED, EmbeddedIndex
from engine.kernels import kernel
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.shortlist import votes
from engine.timing import Clock
from engine.values import Array
from training.simulation.photographs import simulate

CHANNEL = 1
_CHUNK = 10_000


def run_scale(
    pictures: Path,
    *,
    sizes: Sequence[int] = (10_000, 100_000, 1_000_000),
    votes_only: Sequence[int] = (),
    small_channels: int = 1000,
    photos: int = 40,
    work: Path | None = None,
    settings: EngineSettings | None = None,
) -> dict[str, Any]:
    """pictures: folder of real ones (1,000 are plenty); small_channels: how many channels of 100 pictures are
    searched together, 0 for none; work: where the indexes of the largest size find room."""
    settings = settings or EngineSettings()
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        pool, vectors, queries = _material(pictures, folder, settings, photos)
        rows = [_measure(folder / str(n), n, pool, vectors, queries, settings) for n in sizes]
        alone = [_measure_votes(n, pool, queries, settings) for n in votes_only]
        result = {"pool_keypoints": len(pool), "photos": len(queries), "sizes": rows, "votes_only": alone}
        if small_channels:
            result["small_channels"] = _measure_channels(folder, small_channels, pool, vectors, queries, settings)
    return result


def _material(
    pictures: Path, folder: Path, settings: EngineSettings, photos: int
) -> tuple[Array, Array, list[LocalFeatures]]:
    """Keypoint rows and vectors of real pictures, and simulated photographs of some of them."""
    rng = np.random.default_rng(0)
    rows: list[Array] = []
    vectors: list[Array] = []
    queries: list[LocalFeatures] = []
    with Recognizer.open(folder / "pool", replace(settings, limits=LIMITS)) as recognizer:
        for path in list_pictures(pictures)[:1500]:
            try:
                stored = recognizer.describe(path.read_bytes()).features
            except ImageError:
                continue
            rows.append(from_bytes(stored.keypoints))
            vectors.append(np.frombuffer(stored.vector, np.int8))
            if len(queries) < photos:
                picture = decode(path.read_bytes(), long_side=640, limits=LIMITS)[0]
                photo = simulate(picture, [], rng, strength=0.5)[0]
                photo = resize_long_side(photo, PHOTO_DETECTOR.long_side)
                features = describe_photo(photo, recognizer.model)
                if len(features.keypoints) >= 200:
                    queries.append(features)
    return np.concatenate(rows), np.stack(vectors), queries


def _vocabulary(settings: EngineSettings) -> Vocabulary:
    return PatchModel(settings.model, providers=settings.providers).vocabulary


def _measure(
    folder: Path, count: int, pool: Array, vectors: Array, queries: list[LocalFeatures], settings: EngineSettings
) -> dict[str, Any]:
    folder.mkdir()
    catalogue, vocabulary = Catalogue(folder), _vocabulary(settings)
    # No segment is made before all pictures are there, and the one channel has its own shard from the first on.
    index = EmbeddedIndex(catalogue, vocabulary, replace(settings, tail=count + 1, own_shard=0))
    started = time.perf_counter()
    _fill(index, folder, np.full(count, CHANNEL), pool, vectors)
    filled = time.perf_counter() - started
    started = time.perf_counter()
    index.build(CHANNEL)
    built = time.perf_counter() - started
    snapshot.save(index, folder)
    index.close()
    disk = sum(f.stat().st_size for f in (folder / "index").iterdir())
    started = time.perf_counter()
    opened = _open(folder, catalogue, vocabulary, settings)
    open_seconds = time.perf_counter() - started
    row: dict[str, Any] = {
        "pictures": count,
        "preset": opened.describe()[CHANNEL]["segments"][0]["votes"],
        "fill_seconds": round(filled, 1),
        "build_seconds": round(built, 1),
        "open_seconds": round(open_seconds, 3),
        "index_bytes_per_picture": round(disk / count),
        "memory_bytes": opened.memory(),
        "threads_1": _latency(opened, vocabulary, queries),
    }
    with ThreadPoolExecutor(2) as threads:
        shared = _open(folder, catalogue, vocabulary, settings, threads)
        row["threads_2"] = _latency(shared, vocabulary, queries)
        shared.close()
    row["adds_per_second_in_index"] = _adds(opened, count, pool, vectors)
    row["while_merging"] = _merge_while_searching(opened, vocabulary, queries)
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    row["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    opened.close()
    catalogue.close()
    return row


def _open(
    folder: Path,
    catalogue: Catalogue,
    vocabulary: Vocabulary,
    settings: EngineSettings,
    pool: ThreadPoolExecutor | None = None,
) -> EmbeddedIndex:
    index = EmbeddedIndex(catalogue, vocabulary, settings, pool=pool)
    snapshot.load(index, folder)
    return index


def _measure_channels(
    folder: Path, number: int, pool: Array, vectors: Array, queries: list[LocalFeatures], settings: EngineSettings
) -> dict[str, Any]:
    """The same pictures as one channel, and as many channels of a hundred that are all searched."""
    count, vocabulary = 100 * number, _vocabulary(settings)
    result: dict[str, Any] = {"channels": number, "pictures": count}
    owners = {"one_channel": np.full(count, CHANNEL), "many_channels": np.arange(count) % number + 1}
    for name, channels in owners.items():
        place = folder / name
        catalogue = Catalogue(place)
        own_shard = 0 if name == "one_channel" else count
        index = EmbeddedIndex(catalogue, vocabulary, replace(settings, tail=count + 1, own_shard=own_shard))
        _fill(index, place, channels, pool, vectors)
        index.build(CHANNEL if name == "one_channel" else SHARED)
        searched = np.unique(channels).tolist()
        times = [sum(_search(index, vocabulary, photo, searched)[:2]) for photo in [*queries, *queries]]
        result[f"{name}_p50_ms"] = round(float(np.median(times[len(queries) :])), 2)
        index.close()
        catalogue.close()
    return result


def _fill(index: EmbeddedIndex, folder: Path, channels: Array, pool: Array, vectors: Array) -> None:
    """Made-up pictures 1, 2, … of the given channels; what is saved meanwhile is mapped, and not held in memory."""
    rng = np.random.default_rng(len(channels))
    for start in range(0, len(channels), _CHUNK):
        some = channels[start : start + _CHUNK]
        records = pool[rng.integers(0, len(pool), (len(some), KEYPOINTS))]
        records[..., 0] ^= _flips(rng, (len(some), KEYPOINTS))
        noise = rng.integers(-12, 13, (len(some), vectors.shape[1]), np.int8)
        made_up = np.clip(vectors[rng.integers(0, len(vectors), len(some))] // 2 + noise, -127, 127)
        for i, channel in enumerate(some.tolist()):
            index.insert(start + i + 1, channel, True, records[i].tobytes(), made_up[i].astype(np.int8).tobytes())
        snapshot.save(index, folder)


def _flips(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Three random bits each: repeated keypoints must not be equal."""
    one = np.uint64(1)
    flips = np.zeros(shape, np.uint64)
    for _ in range(3):
        flips |= one << rng.integers(0, 64, shape, np.uint64)
    return flips


def _latency(index: EmbeddedIndex, vocabulary: Vocabulary, queries: list[LocalFeatures]) -> dict[str, Any]:
    stages: dict[str, list[float]] = {"shortlist": [], "rank": [], "both": []}
    for turn in range(2):  # the first turn warms caches and maps
        for photo in queries:
            a, b, candidates = _search(index, vocabulary, photo)
            if turn:
                for name, value in (("shortlist", a), ("rank", b), ("both", a + b)):
                    stages[name].append(value)
    result: dict[str, Any] = {"candidates": candidates}
    for name, values in stages.items():
        result[f"{name}_p50_ms"], result[f"{name}_p95_ms"] = (
            round(float(np.quantile(values, q)), 2) for q in (0.5, 0.95)
        )
    return result


def _search(
    index: EmbeddedIndex, vocabulary: Vocabulary, photo: LocalFeatures, channels: Sequence[int] = (CHANNEL,)
) -> tuple[float, float, int]:
    """Milliseconds of the shortlist and of the ranking, and the number of candidates."""
    clock = Clock()
    found = index.rank(Query(photo, vocabulary), channels, clock=clock)
    return clock.milliseconds["shortlist"], clock.milliseconds["rank"], len(found.pictures)


def _adds(index: EmbeddedIndex, count: int, pool: Array, vectors: Array, number: int = 2000) -> float:
    started = time.perf_counter()
    for i in range(number):
        rows = np.ascontiguousarray(pool[i * 7 % (len(pool) - KEYPOINTS) :][:KEYPOINTS])
        index.insert(count + 1 + i, CHANNEL, True, rows.tobytes(), vectors[i % len(vectors)].tobytes())
    return round(number / (time.perf_counter() - started), 0)


def _merge_while_searching(
    index: EmbeddedIndex, vocabulary: Vocabulary, queries: list[LocalFeatures]
) -> dict[str, Any]:
    """All segments are merged into one while searches go on."""
    times: list[float] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            for photo in queries:
                times.append(sum(_search(index, vocabulary, photo)[:2]))
                if done.is_set():
                    return

    tail = index.describe()[CHANNEL]["tail"]
    searcher = threading.Thread(target=search)
    searcher.start()
    started = time.perf_counter()
    index.build(CHANNEL, whole=True)
    seconds = time.perf_counter() - started
    done.set()
    searcher.join()
    return {
        "merged_pictures": sum(s["pictures"] for s in index.describe()[CHANNEL]["segments"][-1:]),
        "tail": tail,
        "seconds": round(seconds, 2),
        "search_p50_ms": round(float(np.median(times)), 2),
        "search_max_ms": round(max(times), 2),
    }


def _measure_votes(count: int, pool: Array, queries: list[LocalFeatures], settings: EngineSettings) -> dict[str, Any]:
    preset = votes.settings_for(count)
    started = time.perf_counter()
    segment = _made_up_segment(count, pool, preset)
    built = time.perf_counter() - started
    vocabulary = _vocabulary(settings)
    allowed = np.ones(count, np.uint8)
    row: dict[str, Any] = {
        "pictures": count,
        "preset": vars(preset),
        "memory_bytes": segment.bytes,
        "made_seconds": round(built, 1),
    }
    with ThreadPoolExecutor(2) as pool_of_threads:
        for threads in (1, 2):
            times = []
            for turn in range(2):
                for photo in queries:
                    start = time.perf_counter()
                    words = vocabulary.nearest_words(photo.descriptors, half_bits=preset.half_bits, count=preset.words)
                    signatures = vocabulary.signatures(photo.descriptors)
                    votes.search(
                        segment,
                        words,
                        signatures,
                        allowed,
                        depth=settings.votes_depth,
                        pool=pool_of_threads if threads > 1 else None,
                    )
                    if turn:
                        times.append(1e3 * (time.perf_counter() - start))
            p50, p95 = (round(float(np.quantile(times, q)), 2) for q in (0.5, 0.95))
            row[f"threads_{threads}"] = {"votes_p50_ms": p50, "votes_p95_ms": p95}
    return row


def _made_up_segment(count: int, pool: Array, preset: votes.VoteSettings) -> votes.Segment:
    """The inverted file of `count` pictures without their records: list lengths follow the pool's words."""
    words = 2 ** (2 * preset.half_bits)
    word = coarsen(unpack(pool)[3], preset.half_bits).astype(np.int64)
    order = np.argsort(word, kind="stable")
    starts = np.searchsorted(word[order], np.arange(words + 1))
    total = count * preset.keypoints
    offsets = np.rint(starts * (total / len(pool))).astype(np.int64)
    places, signatures = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.uint64)
    _post(offsets, starts, pool[order, 0].copy(), count, places, signatures)
    norms = np.full(count, preset.keypoints**-0.5, np.float32)
    return votes.Segment(preset, 0, count, count, offsets, places, signatures, norms)


@kernel()
def _post(offsets, starts, pool, count, places, signatures):  # type: ignore[no-untyped-def]  # compiled by Numba
    state = np.uint64(88172645463325252)
    for word in range(len(offsets) - 1):
        length = offsets[word + 1] - offsets[word]
        number = starts[word + 1] - starts[word]
        for i in range(length):
            # xorshift64 (Marsaglia 2003)
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            fraction = np.float64(state >> np.uint64(11)) / 9007199254740992.0
            places[offsets[word] + i] = np.uint32((i + fraction) * count / length)
            flips = (np.uint64(1) << (state & np.uint64(63))) | (
                np.uint64(1) << ((state >> np.uint64(8)) & np.uint64(63))
            )
            signatures[offsets[word] + i] = pool[starts[word] + np.int64(state % np.uint64(max(number, 1)))] ^ flips
