"""Shortlist by votes: an inverted file over the patch descriptors (Hamming embedding, Jegou et al. 2008).

A segment is immutable: for every visual word the postings (place, signature) of the pictures it covers, sorted by
place. A picture's place is the row of its record in the arrays that an index keeps. A photo's keypoint looks into its
nearest words; each posting whose signature is near votes for its picture, once per photo keypoint.
"""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.describe.records import record_at, word_of
from engine.describe.signatures import HAMMING_WEIGHT, popcount
from engine.describe.vocabulary import coarse_word
from engine.kernels import kernel
from engine.threads import run_both
from engine.values import Array, FloatArray


@dataclass(frozen=True, kw_only=True)
class VoteSettings:
    """How pictures vote. The fields' names stand in every saved index."""

    keypoints: int
    """Keypoints of a picture that vote."""
    half_bits: int
    """The words have twice as many bits."""
    words: int
    """Words that each of a photo's keypoints looks into."""
    hamming: int
    """Most differing bits of a vote (docs/decisions/0011)."""

    @property
    def bytes_per_picture(self) -> int:
        return 12 * self.keypoints


_WORTH_SHARING = 20_000
"""Places from which on two threads are quicker than one."""
SMALL = VoteSettings(keypoints=400, half_bits=7, words=5, hamming=16)
MEDIUM = VoteSettings(keypoints=200, half_bits=8, words=8, hamming=16)
LARGE = VoteSettings(keypoints=100, half_bits=10, words=16, hamming=20)
HUGE = VoteSettings(keypoints=100, half_bits=10, words=8, hamming=16)


def settings_for(pictures: int) -> VoteSettings:
    """The preset for a segment of that many pictures."""
    if pictures <= 50_000:
        return SMALL
    if pictures <= 300_000:
        return MEDIUM
    return LARGE if pictures <= 3_000_000 else HUGE


@dataclass(frozen=True)
class Segment:
    """An inverted file over the pictures whose places are in [first, last)."""

    settings: VoteSettings
    first: int
    last: int
    pictures: int
    """How many were alive when it was built."""
    offsets: Array
    """(words + 1,) int64: the postings of word w are those from offsets[w] to offsets[w + 1]."""
    places: Array
    """(P,) uint32, of each posting."""
    signatures: Array
    """(P,) uint64, of each posting."""
    norms: FloatArray
    """(last - first,) float32: 1 / sqrt(keypoints that vote)."""

    @property
    def bytes(self) -> int:
        return int(self.offsets.nbytes + self.places.nbytes + self.signatures.nbytes + self.norms.nbytes)


def build_segment(settings: VoteSettings, places: Array, base: Array, later: Array, counts: Array) -> Segment:
    """From the records at ascending `places` (see `engine.rank.rank` for base, later and counts)."""
    words = 2 ** (2 * settings.half_bits)
    first, last = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
    totals = np.zeros(words + 1, np.int64)
    _count(places, base, later, counts, settings.keypoints, settings.half_bits, totals)
    offsets = np.cumsum(totals)
    posted = np.empty(offsets[-1], np.uint32)
    signatures = np.empty(offsets[-1], np.uint64)
    fill = offsets[:-1].copy()
    _post(places, base, later, counts, settings.keypoints, settings.half_bits, fill, posted, signatures)
    norms = np.zeros(last - first, np.float32)
    norms[places - first] = 1 / np.sqrt(np.clip(counts[places], 1, settings.keypoints))
    return Segment(settings, first, last, len(places), offsets, posted, signatures, norms)


@kernel()
def _count(places, base, later, counts, keypoints, half_bits, totals):  # type: ignore[no-untyped-def]
    for place in places:
        record = record_at(base, later, place)
        for i in range(min(counts[place], keypoints)):
            totals[np.int64(coarse_word(word_of(record[i, 1]), half_bits)) + 1] += 1


@kernel()
def _post(places, base, later, counts, keypoints, half_bits, fill, posted, signatures):  # type: ignore[no-untyped-def]
    for place in places:
        record = record_at(base, later, place)
        for i in range(min(counts[place], keypoints)):
            word = np.int64(coarse_word(word_of(record[i, 1]), half_bits))
            posted[fill[word]] = place
            signatures[fill[word]] = record[i, 0]
            fill[word] += 1


def search(
    segment: Segment, words: Array, signatures: Array, allowed: Array, *, depth: int, pool: Executor | None = None
) -> tuple[Array, FloatArray]:
    """The `depth` best places and their scores, best first.

    words: (N, n) the photo's nearest words at the segment's half_bits, signatures: (N,) uint64; allowed: (P,) uint8
    by place, 0 hides a picture (removed, or of another channel). With a pool, two threads share the places.
    """
    span = segment.last - segment.first
    half = span // 2

    def between(low: int, high: int) -> tuple[Array, FloatArray]:
        return _vote_range(segment, words, signatures, allowed, depth, low, high)

    if pool is None or span < _WORTH_SHARING:
        parts: tuple[tuple[Array, FloatArray], ...] = (between(0, span),)
    else:
        parts = run_both(pool, lambda: between(0, half), lambda: between(half, span))
    places, scores = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.lexsort((places, -scores))[:depth]
    return places[order], scores[order]


def _vote_range(
    segment: Segment, words: Array, signatures: Array, allowed: Array, depth: int, low: int, high: int
) -> tuple[Array, FloatArray]:
    scores = np.zeros(high - low, np.float32)
    voter = np.full(high - low, -1, np.int16)
    touched = np.empty(high - low, np.int32)
    number = _vote(
        words,
        signatures,
        segment.offsets,
        segment.places,
        segment.signatures,
        segment.first + low,
        segment.first + high,
        max(segment.pictures, 1) * segment.settings.keypoints,
        segment.settings.hamming,
        allowed,
        scores,
        voter,
        touched,
    )
    hit = touched[:number]
    values = scores[hit] * segment.norms[low + hit]
    if number > depth:
        best = np.argpartition(-values, depth - 1)[:depth]
        hit, values = hit[best], values[best]
    return hit.astype(np.int64) + segment.first + low, values


@kernel(fastmath=True)
def _vote(words, signatures, offsets, places, posted, low, high, postings, limit, allowed, scores, voter, touched):  # type: ignore[no-untyped-def]
    """Adds exp(-(h / 14)^2) * idf^2 for every vote; gives the number of pictures touched."""
    number = 0
    for n in range(words.shape[0]):
        for k in range(words.shape[1]):
            word = words[n, k]
            start, end = offsets[word], offsets[word + 1]
            # What is mapped from a file is checked when it is loaded; nothing but these two lines reads it again.
            if start < 0 or start >= end or end > len(places):
                continue
            idf = np.log(np.float32(postings) / np.float32(end - start))
            weight = np.float32(idf * idf)
            # Postings are sorted by place: the range's part is found by bisection.
            a, b = start, end
            while a < b:
                middle = (a + b) // 2
                if places[middle] < low:
                    a = middle + 1
                else:
                    b = middle
            for p in range(a, end):
                place = np.int64(places[p])
                if place >= high:
                    break
                if place < low:  # a damaged file: postings are sorted
                    continue
                distance = popcount(signatures[n] ^ posted[p])  # type: ignore[call-arg, var-annotated]
                if distance > limit or allowed[place] == 0:
                    continue
                at = place - low
                if voter[at] == n:
                    continue
                if voter[at] < 0:
                    touched[number] = at
                    number += 1
                voter[at] = n
                scores[at] += weight * HAMMING_WEIGHT[distance]
    return number


_FILES = {"offsets": "offsets", "places": "slots", "signatures": "signatures", "norms": "norms"}
"""Names of the arrays in files, in the order of Segment's fields."""
_KINDS = {"offsets": np.int64, "places": np.uint32, "signatures": np.uint64, "norms": np.float32}
FILES = tuple(f"{file_name}.npy" for file_name in _FILES.values())
"""How the names of a segment's files end."""


def save_segment(segment: Segment, path: Path) -> None:
    """Writes path-*.npy and forces them to the disk."""
    for name, file_name in _FILES.items():
        with Path(f"{path}-{file_name}.npy").open("wb") as file:
            np.save(file, getattr(segment, name))
            file.flush()
            os.fsync(file.fileno())


def load_segment(path: Path, settings: VoteSettings, first: int, last: int, pictures: int) -> Segment:
    """Maps what `save_segment` wrote; what is large is not read before it is needed. Raises ValueError, and whatever
    NumPy raises at a damaged header, where a search could not trust it."""
    arrays = [np.load(f"{path}-{file_name}.npy", mmap_mode="c") for file_name in _FILES.values()]
    segment = Segment(settings, first, last, pictures, *(a.view(np.ndarray) for a in arrays))
    _check(segment)
    return segment


def _check(segment: Segment) -> None:
    """That compiled code stays within the arrays. The places of the postings are left to `_vote`, which passes over
    those that are out of range: there are 400 a picture. Raises ValueError."""
    preset, offsets = segment.settings, segment.offsets
    sound = 1 <= preset.half_bits <= 10 and preset.words >= 1 and 0 <= preset.hamming <= 64 and preset.keypoints >= 1
    if not sound or not 0 <= segment.first <= segment.last or segment.pictures < 0:
        raise ValueError(f"a segment of {segment.pictures} in [{segment.first}, {segment.last}) with {preset}")
    postings = len(segment.signatures)
    lengths = {
        "offsets": 2 ** (2 * preset.half_bits) + 1,
        "places": postings,
        "signatures": postings,
        "norms": segment.last - segment.first,
    }
    for name, length in lengths.items():
        array = getattr(segment, name)
        if array.shape != (length,) or array.dtype != _KINDS[name]:
            raise ValueError(f"{name} is {array.shape} of {array.dtype}, not {length} of {np.dtype(_KINDS[name])}")
    if offsets[0] != 0 or offsets[-1] != postings or (np.diff(offsets) < 0).any():
        raise ValueError("offsets that do not grow from the first posting to the last")


def warm_up(record: Array, counts: Array, words: Array, signatures: Array) -> None:
    """Compiles the kernels on one picture's record (1, 400, 2)."""
    segment = build_segment(SMALL, np.zeros(1, np.int64), record, record[:0], counts)
    search(segment, words, signatures, np.ones(1, np.uint8), depth=1)
