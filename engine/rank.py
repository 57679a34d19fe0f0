"""Ranking by geometry: how well a photo's keypoints and a picture's agree on one similarity transform.

Keypoints of photo and picture that share a visual word and whose signatures differ in few bits are
tentative matches (Hamming embedding, Jegou et al. 2008). Each of them fixes a similarity transform; the
score of a picture is the weight of the matches that agree with the best of these transforms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from engine.describe.records import KEYPOINTS
from engine.describe.signatures import HAMMING_WEIGHT, popcount
from engine.describe.vocabulary import HALF_BITS, Vocabulary
from engine.values import Array, FloatArray

WORD_HALF_BITS = 6
WORDS_PER_KEYPOINT = 6
"""4,096 words, 6 looked into. Measured on 561 photos, 1,366 pictures, microseconds a candidate and recall@10:
10 bits and 4 words 16.5, .962; 12 bits and 4, 8, 12 words 7.7, 12.5, 16.6, .957, .961, .961; 14 bits and 8
words 5.9, .954."""
HAMMING_LIMIT = 16
"""Bits of 64 in which two signatures of the same point may differ: the `hamming90` of the training log, where nine
in ten simulated pairs lie. With 20 the ranking is as good and takes 7.8 microseconds a candidate instead of 4.7."""
MATCHES_AT_MOST = 192
"""Tentative matches looked at per picture: a bound on the quadratic part."""


@dataclass(frozen=True)
class PhotoIndex:
    """A photo's keypoints, sorted by visual word: `starts[w] : starts[w + 1]` are the rows of word w.

    rows: (E,) int32 keypoint number of each entry; signatures (E,) uint64 of the entries; points (N, 4)
    float32: x, y in pixels of the working photo, log of the scale, angle.
    """

    starts: Array
    rows: Array
    signatures: Array
    points: FloatArray


def index_photo(
    xy: FloatArray,
    scale: FloatArray,
    angle: FloatArray,
    descriptors: FloatArray,
    signatures: Array,
    vocabulary: Vocabulary,
) -> PhotoIndex:
    """The photo's side of the ranking; arrays of N keypoints."""
    words = vocabulary.nearest_words(descriptors, half_bits=WORD_HALF_BITS, count=WORDS_PER_KEYPOINT)
    flat = words.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(2 ** (2 * WORD_HALF_BITS) + 1)).astype(np.int32)
    points = np.concatenate([xy, np.log(scale)[:, None], angle[:, None]], axis=1).astype(np.float32)
    rows = (order // WORDS_PER_KEYPOINT).astype(np.int32)
    return PhotoIndex(starts, rows, signatures[rows], points)


def rank(photo: PhotoIndex, base: Array, grown: Array, slots: Array, counts: Array) -> FloatArray:
    """(C,) float32 scores of the pictures at `slots`, 0 or more, bigger is better.

    base, grown: (S, 400, 2) uint64 records, slot numbers run on from one to the other; counts: (S,) int
    keypoints of each slot.
    """
    scores = np.zeros(len(slots), np.float32)
    _rank(photo.starts, photo.rows, photo.signatures, photo.points, base, grown, slots, counts, scores)
    return scores


_STEP = np.float32(np.log(1.2) / 16)
_TURN = np.float32(np.pi / 128)
_SHIFT = 2 * HALF_BITS
_DROP = HALF_BITS - WORD_HALF_BITS


@njit(cache=True, nogil=True, fastmath=True)
def _rank(starts, rows, signatures, points, base, grown, slots, counts, scores):  # type: ignore[no-untyped-def]
    m_x, m_y = np.empty(MATCHES_AT_MOST, np.float32), np.empty(MATCHES_AT_MOST, np.float32)
    m_u, m_v = np.empty(MATCHES_AT_MOST, np.float32), np.empty(MATCHES_AT_MOST, np.float32)
    m_log, m_turn = np.empty(MATCHES_AT_MOST, np.float32), np.empty(MATCHES_AT_MOST, np.float32)
    m_weight = np.empty(MATCHES_AT_MOST, np.float32)
    for c in range(len(slots)):
        slot = slots[c]
        record = base[slot] if slot < len(base) else grown[slot - len(base)]
        found = 0
        for i in range(min(counts[slot], KEYPOINTS)):
            packed = record[i, 1]
            word = packed >> np.uint64(40) & np.uint64(0xFFFFF)
            left = word >> np.uint64(HALF_BITS + _DROP)
            right = (word & np.uint64(2**HALF_BITS - 1)) >> np.uint64(_DROP)
            cell = np.int64(left << np.uint64(WORD_HALF_BITS) | right)
            nearest, chosen = HAMMING_LIMIT + 1, -1
            for e in range(starts[cell], starts[cell + 1]):
                distance = popcount(signatures[e] ^ record[i, 0])  # type: ignore[call-arg, var-annotated]
                if distance < nearest:
                    nearest, chosen = distance, rows[e]
            if chosen >= 0 and found < MATCHES_AT_MOST:
                m_x[found], m_y[found] = points[chosen, 0], points[chosen, 1]
                m_u[found] = np.float32(packed >> np.uint64(28) & np.uint64(4095)) * np.float32(0.125)
                m_v[found] = np.float32(packed >> np.uint64(16) & np.uint64(4095)) * np.float32(0.125)
                m_log[found] = points[chosen, 2] - np.float32(packed >> np.uint64(8) & np.uint64(255)) * _STEP
                m_turn[found] = points[chosen, 3] - np.float32(packed & np.uint64(255)) * _TURN
                m_weight[found] = HAMMING_WEIGHT[nearest]
                found += 1
        scores[c] = _best_agreement(m_x, m_y, m_u, m_v, m_log, m_turn, m_weight, found)


@njit(cache=True, nogil=True, fastmath=True)
def _best_agreement(x, y, u, v, log_scale, turn, weight, found):  # type: ignore[no-untyped-def]
    """Weight of the matches that agree with the best single match: positions within 8 % of the picture's
    480 pixels (as seen in the photo), scales within a factor 1.6, angles within 0.6 rad."""
    best = np.float32(0)
    for i in range(found):
        size = np.exp(log_scale[i])
        cos, sin = size * np.cos(turn[i]), size * np.sin(turn[i])
        limit = (np.float32(0.08 * 480) * size) ** 2
        total = np.float32(0)
        for j in range(found):
            if abs(log_scale[j] - log_scale[i]) > np.float32(0.47):
                continue
            bend = turn[j] - turn[i]
            bend -= np.float32(2 * np.pi) * np.rint(bend / np.float32(2 * np.pi))
            if abs(bend) > np.float32(0.6):
                continue
            du, dv = u[j] - u[i], v[j] - v[i]
            ex = x[i] + cos * du - sin * dv - x[j]
            ey = y[i] + sin * du + cos * dv - y[j]
            if ex * ex + ey * ey < limit:
                total += weight[j]
        best = max(best, total)
    return best
