"""Shortlist by votes: an inverted file over the patch descriptors (Hamming embedding, Jegou et al. 2008).

A segment is immutable: for every visual word the postings (slot, signature) of the pictures it covers,
sorted by slot. A photo's keypoint looks into its nearest words; each posting whose signature is near votes
for its picture, once per photo keypoint.
"""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from engine.describe.signatures import HAMMING_WEIGHT, popcount
from engine.describe.vocabulary import HALF_BITS
from engine.values import Array, FloatArray


@dataclass(frozen=True, kw_only=True)
class VoteSettings:
    """keypoints: of a picture that vote; half_bits: the words have twice as many; words: looked into per
    photo keypoint; hamming: most differing bits of a vote (docs/decisions/0011)."""

    keypoints: int
    half_bits: int
    words: int
    hamming: int

    @property
    def bytes_per_picture(self) -> int:
        return 12 * self.keypoints


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
    """first, last: the slots covered are in [first, last); pictures: how many were alive when it was built;
    offsets: (words + 1,) int64; slots: (P,) uint32; signatures: (P,) uint64; norms: (last - first,) float32,
    1 / sqrt(keypoints that vote)."""

    settings: VoteSettings
    first: int
    last: int
    pictures: int
    offsets: Array
    slots: Array
    signatures: Array
    norms: FloatArray

    @property
    def bytes(self) -> int:
        return int(self.offsets.nbytes + self.slots.nbytes + self.signatures.nbytes + self.norms.nbytes)


def build_segment(settings: VoteSettings, slots: Array, base: Array, grown: Array, counts: Array) -> Segment:
    """From the records of ascending `slots` (see `geometry.rank` for base, grown and counts)."""
    words = 2 ** (2 * settings.half_bits)
    first, last = (int(slots[0]), int(slots[-1]) + 1) if len(slots) else (0, 0)
    totals = np.zeros(words + 1, np.int64)
    _count(slots, base, grown, counts, settings.keypoints, settings.half_bits, totals)
    offsets = np.cumsum(totals)
    posting_slots = np.empty(offsets[-1], np.uint32)
    signatures = np.empty(offsets[-1], np.uint64)
    fill = offsets[:-1].copy()
    _place(slots, base, grown, counts, settings.keypoints, settings.half_bits, fill, posting_slots, signatures)
    norms = np.zeros(last - first, np.float32)
    norms[slots - first] = 1 / np.sqrt(np.clip(counts[slots], 1, settings.keypoints))
    return Segment(settings, first, last, len(slots), offsets, posting_slots, signatures, norms)


@njit(cache=True, nogil=True)
def _word(packed, half_bits):  # type: ignore[no-untyped-def]  # compiled by Numba
    word = packed >> np.uint64(40) & np.uint64(0xFFFFF)
    drop = np.uint64(HALF_BITS - half_bits)
    left, right = word >> np.uint64(HALF_BITS), word & np.uint64(2**HALF_BITS - 1)
    return np.int64((left >> drop) << np.uint64(half_bits) | (right >> drop))


@njit(cache=True, nogil=True)
def _count(slots, base, grown, counts, keypoints, half_bits, totals):  # type: ignore[no-untyped-def]
    for slot in slots:
        record = base[slot] if slot < len(base) else grown[slot - len(base)]
        for i in range(min(counts[slot], keypoints)):
            totals[_word(record[i, 1], half_bits) + 1] += 1


@njit(cache=True, nogil=True)
def _place(slots, base, grown, counts, keypoints, half_bits, fill, posting_slots, signatures):  # type: ignore[no-untyped-def]
    for slot in slots:
        record = base[slot] if slot < len(base) else grown[slot - len(base)]
        for i in range(min(counts[slot], keypoints)):
            word = _word(record[i, 1], half_bits)
            posting_slots[fill[word]] = slot
            signatures[fill[word]] = record[i, 0]
            fill[word] += 1


def search(
    segment: Segment, words: Array, signatures: Array, allowed: Array, *, depth: int, pool: Executor | None = None
) -> tuple[Array, FloatArray]:
    """The `depth` best slots and their scores, best first.

    words: (N, n) the photo's nearest words at the segment's half_bits, signatures: (N,) uint64; allowed:
    (S,) uint8 by slot, 0 hides a picture (removed, or of another channel). With a pool, two threads
    share the slots.
    """
    span = segment.last - segment.first
    ranges = [(0, span)] if pool is None or span < 20_000 else [(0, span // 2), (span // 2, span)]
    found = (_vote_range, segment, words, signatures, allowed, depth)
    if len(ranges) == 1 or pool is None:
        parts = [found[0](*found[1:], *ranges[0])]
    else:
        other = pool.submit(found[0], *found[1:], *ranges[1])
        parts = [found[0](*found[1:], *ranges[0]), other.result()]
    slots, scores = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.lexsort((slots, -scores))[:depth]
    return slots[order], scores[order]


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
        segment.slots,
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


@njit(cache=True, nogil=True, fastmath=True)
def _vote(words, signatures, offsets, slots, posted, low, high, postings, limit, allowed, scores, voter, touched):  # type: ignore[no-untyped-def]
    """Adds exp(-(h / 14)^2) * idf^2 for every vote; gives the number of pictures touched."""
    number = 0
    for n in range(words.shape[0]):
        for k in range(words.shape[1]):
            word = words[n, k]
            start, end = offsets[word], offsets[word + 1]
            if start == end:
                continue
            idf = np.log(np.float32(postings) / np.float32(end - start))
            weight = np.float32(idf * idf)
            # Postings are sorted by slot: the range's part is found by bisection.
            a, b = start, end
            while a < b:
                middle = (a + b) // 2
                if slots[middle] < low:
                    a = middle + 1
                else:
                    b = middle
            for p in range(a, end):
                slot = np.int64(slots[p])
                if slot >= high:
                    break
                distance = popcount(signatures[n] ^ posted[p])  # type: ignore[call-arg, var-annotated]
                if distance > limit or allowed[slot] == 0:
                    continue
                at = slot - low
                if voter[at] == n:
                    continue
                if voter[at] < 0:
                    touched[number] = at
                    number += 1
                voter[at] = n
                scores[at] += weight * HAMMING_WEIGHT[distance]
    return number


def save_segment(segment: Segment, path: Path) -> None:
    """Writes path-*.npy and forces them to the disk."""
    for name in ("offsets", "slots", "signatures", "norms"):
        with Path(f"{path}-{name}.npy").open("wb") as file:
            np.save(file, getattr(segment, name))
            file.flush()
            os.fsync(file.fileno())


def load_segment(path: Path, settings: VoteSettings, first: int, last: int, pictures: int) -> Segment:
    """Maps what `save_segment` wrote; nothing is read before it is needed."""
    arrays = [np.load(f"{path}-{n}.npy", mmap_mode="c") for n in ("offsets", "slots", "signatures", "norms")]
    return Segment(settings, first, last, pictures, *(a.view(np.ndarray) for a in arrays))


def warm_up(record: Array, counts: Array, descriptors_words: Array, signatures: Array) -> None:
    """Compiles the kernels on one picture's record (1, 400, 2)."""
    slots = np.zeros(1, np.int64)
    segment = build_segment(SMALL, slots, record, record[:0], counts)
    search(segment, descriptors_words, signatures, np.ones(1, np.uint8), depth=1)
