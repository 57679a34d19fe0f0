"""How the index grows: latency, memory and disk against the number of pictures.

Keypoints of real pictures are repeated: each made-up picture draws its keypoints at random from those of the
given pictures, with a few signature bits flipped, so that the lists of the inverted file are as uneven as
real ones. Recall is not measured here: `obverse recall` does that on real pictures.
"""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from benchmarks.sets import LIMITS, pictures_in
from engine import rank
from engine.catalogue import Catalogue
from engine.describe.features import LocalFeatures, describe_photo
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.patch_model import PatchModel, RuntimeSettings
from engine.describe.records import KEYPOINTS, from_bytes
from engine.describe.vocabulary import Vocabulary
from engine.errors import ImageError
from engine.image import decode, resize_long_side
from engine.index import snapshot
from engine.index.embedded import SHARED, Gallery
from engine.index.segments import Shard
from engine.index.slots import SlotTable
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.shortlist import votes
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
        for path in pictures_in(pictures)[:1500]:
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
    return PatchModel(RuntimeSettings(model=settings.model, providers=settings.providers)).vocabulary


def _measure(
    folder: Path, count: int, pool: Array, vectors: Array, queries: list[LocalFeatures], settings: EngineSettings
) -> dict[str, Any]:
    folder.mkdir()
    catalogue = Catalogue(folder)
    vocabulary = _vocabulary(settings)
    rng = np.random.default_rng(count)
    gallery = Gallery(catalogue, vocabulary, settings)
    started = time.perf_counter()
    gallery.table = _table(folder, count, pool, vectors, rng)
    filled = time.perf_counter() - started
    gallery.shards = {0: Shard(), CHANNEL: Shard(tail=list(range(count)))}
    gallery.recount()
    started = time.perf_counter()
    gallery.build(CHANNEL)
    built = time.perf_counter() - started
    snapshot.save(gallery, folder)
    gallery.close()
    disk = sum(f.stat().st_size for f in (folder / "index").iterdir())
    started = time.perf_counter()
    opened = Gallery(catalogue, vocabulary, settings)
    snapshot.load(opened, folder)
    open_seconds = time.perf_counter() - started
    row: dict[str, Any] = {
        "pictures": count,
        "preset": vars(opened.shards[CHANNEL].segments[0].votes.settings),
        "fill_seconds": round(filled, 1),
        "build_seconds": round(built, 1),
        "open_seconds": round(open_seconds, 3),
        "index_bytes_per_picture": round(disk / count),
        "memory_bytes": opened.memory(),
    }
    for threads in (1, 2):
        row[f"threads_{threads}"] = _latency(opened, queries, threads, settings)
    row["adds_per_second_in_index"] = _adds(opened, pool, vectors)
    row["while_merging"] = _merge_while_searching(opened, queries, settings)
    row["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    opened.close()
    catalogue.close()
    return row


def _measure_channels(
    folder: Path, number: int, pool: Array, vectors: Array, queries: list[LocalFeatures], settings: EngineSettings
) -> dict[str, Any]:
    """The same pictures as one channel, and as many channels of a hundred that are all searched."""
    count = 100 * number
    place = folder / "channels"
    place.mkdir()
    catalogue = Catalogue(place)
    gallery = Gallery(catalogue, _vocabulary(settings), settings)
    gallery.table = _table(place, count, pool, vectors, np.random.default_rng(0))
    result: dict[str, Any] = {"channels": number, "pictures": count}
    for name, owners in (("one_channel", np.full(count, CHANNEL)), ("many_channels", np.arange(count) % number + 1)):
        gallery.table.channels = owners.astype(np.int32)
        home = CHANNEL if name == "one_channel" else SHARED
        gallery.shards = {SHARED: Shard(), home: Shard(tail=list(range(count)))}
        gallery.small.clear()
        gallery.recount()
        gallery.build(home)
        searched = sorted({int(c) for c in owners})
        times = [sum(_search(gallery, photo, settings, None, searched)[:2]) for photo in [*queries, *queries]]
        result[f"{name}_p50_ms"] = round(float(np.median(times[len(queries) :])), 2)
    gallery.close()
    catalogue.close()
    return result


def _table(folder: Path, count: int, pool: Array, vectors: Array, rng: np.random.Generator) -> SlotTable:
    place = folder / "index"
    place.mkdir()
    records = np.memmap(place / "records.bin", np.uint64, "w+", shape=(count, KEYPOINTS, 2))
    mapped = np.memmap(place / "vectors.bin", np.int8, "w+", shape=(count, vectors.shape[1]))
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        chosen = pool[rng.integers(0, len(pool), (size, KEYPOINTS))]
        chosen[..., 0] ^= _flips(rng, (size, KEYPOINTS))
        records[start : start + size] = chosen
        noise = rng.integers(-12, 13, (size, vectors.shape[1]), np.int8)
        mapped[start : start + size] = np.clip(vectors[rng.integers(0, len(vectors), size)] // 2 + noise, -127, 127)
    records.flush()
    mapped.flush()
    table = SlotTable(vectors.shape[1], count, records.view(np.ndarray), mapped.view(np.ndarray))
    table.picture_ids = np.arange(1, count + 1)
    table.channels = np.full(count, CHANNEL, np.int32)
    table.keypoints = np.full(count, KEYPOINTS, np.int32)
    table.visible = table.alive = np.ones(count, np.uint8)
    table.visible = table.visible.copy()
    return table


def _flips(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Three random bits each: repeated keypoints must not be equal."""
    one = np.uint64(1)
    flips = np.zeros(shape, np.uint64)
    for _ in range(3):
        flips |= one << rng.integers(0, 64, shape, np.uint64)
    return flips


def _latency(gallery: Gallery, queries: list[LocalFeatures], threads: int, settings: EngineSettings) -> dict[str, Any]:
    stages: dict[str, list[float]] = {"shortlist": [], "rank": [], "both": []}
    with ThreadPoolExecutor(2) as pool:
        for turn in range(2):  # the first turn warms caches and maps
            for photo in queries:
                a, b, candidates = _search(gallery, photo, settings, pool if threads > 1 else None)
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
    gallery: Gallery,
    photo: LocalFeatures,
    settings: EngineSettings,
    pool: ThreadPoolExecutor | None,
    channels: Sequence[int] = (CHANNEL,),
) -> tuple[float, float, int]:
    vocabulary, table = gallery.vocabulary, gallery.table
    started = time.perf_counter()
    signatures = vocabulary.signatures(photo.descriptors)
    shortlist = gallery.shortlist(
        channels,
        photo.descriptors,
        signatures,
        vocabulary.global_descriptor(photo.descriptors)[None],
        votes_depth=settings.votes_depth,
        global_depth=settings.global_depth,
        pool=pool,
    )
    slots = shortlist.union()
    middle = time.perf_counter()
    points = photo.keypoints
    index = rank.index_photo(points.xy, points.scale, points.angle, photo.descriptors, signatures, vocabulary)
    halves = np.array_split(slots, 2) if pool else [slots]
    base, grown = table.arrays
    work = [(index, base, grown, half, table.keypoints) for half in halves]
    other = pool.submit(rank.rank, *work[1]) if pool else None
    rank.rank(*work[0])
    if other is not None:
        other.result()
    return 1e3 * (middle - started), 1e3 * (time.perf_counter() - middle), len(slots)


def _adds(gallery: Gallery, pool: Array, vectors: Array, number: int = 2000) -> float:
    started = time.perf_counter()
    top = int(gallery.table.picture_ids[gallery.table.count - 1])
    for i in range(number):
        rows = np.ascontiguousarray(pool[i * 7 % (len(pool) - KEYPOINTS) :][:KEYPOINTS])
        gallery.take_in(top + 1 + i, CHANNEL, True, rows.tobytes(), vectors[i % len(vectors)].tobytes())
    return round(number / (time.perf_counter() - started), 0)


def _merge_while_searching(gallery: Gallery, queries: list[LocalFeatures], settings: EngineSettings) -> dict[str, Any]:
    """All segments are merged into one while searches go on."""
    times: list[float] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            for photo in queries:
                a, b, _ = _search(gallery, photo, settings, None)
                times.append(a + b)
                if done.is_set():
                    return

    shard = gallery.shards[CHANNEL]
    grown = list(shard.tail)
    searcher = threading.Thread(target=search)
    searcher.start()
    started = time.perf_counter()
    gallery.build(CHANNEL, whole=True)
    seconds = time.perf_counter() - started
    done.set()
    searcher.join()
    return {
        "merged_pictures": sum(s.pictures for s in shard.segments[-1:]),
        "tail": len(grown),
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
    drop = 10 - preset.half_bits
    full = (pool[:, 1] >> np.uint64(40)).astype(np.int64) & 0xFFFFF
    word = (full >> 10 >> drop) << preset.half_bits | (full & 1023) >> drop
    order = np.argsort(word, kind="stable")
    starts = np.searchsorted(word[order], np.arange(words + 1))
    total = count * preset.keypoints
    offsets = np.rint(starts * (total / len(pool))).astype(np.int64)
    slots, signatures = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.uint64)
    _fill(offsets, starts, pool[order, 0].copy(), count, slots, signatures)
    norms = np.full(count, preset.keypoints**-0.5, np.float32)
    return votes.Segment(preset, 0, count, count, offsets, slots, signatures, norms)


@njit(cache=True, nogil=True)
def _fill(offsets, starts, pool, count, slots, signatures):  # type: ignore[no-untyped-def]  # compiled by Numba
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
            slots[offsets[word] + i] = np.uint32((i + fraction) * count / length)
            flips = (np.uint64(1) << (state & np.uint64(63))) | (
                np.uint64(1) << ((state >> np.uint64(8)) & np.uint64(63))
            )
            signatures[offsets[word] + i] = pool[starts[word] + np.int64(state % np.uint64(max(number, 1)))] ^ flips
