"""Ranking by geometry: how well a photo's keypoints and a picture's agree on one similarity transform.

Keypoints of photo and picture that share a visual word and whose signatures differ in few bits are
tentative matches (Hamming embedding, Jegou et al. 2008). Each of them fixes a similarity transform; the
score of a picture is the weight of the matches that agree with the best of these transforms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.describe.query import Query
from engine.describe.records import (
    ANGLE_STEP,
    KEYPOINTS,
    PIXEL_STEP,
    SCALE_STEP,
    angle_of,
    record_at,
    scale_of,
    word_of,
    x_of,
    y_of,
)
from engine.describe.signatures import HAMMING_WEIGHT, popcount
from engine.describe.vocabulary import coarse_word
from engine.kernels import kernel
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
    float32: x, y in pixels of the working photo, log of the scale (from one pixel of it), angle.
    """

    starts: Array
    rows: Array
    signatures: Array
    points: FloatArray


def index_photo(query: Query) -> PhotoIndex:
    """The photo's side of the ranking."""
    keypoints = query.features.keypoints
    flat = query.words(half_bits=WORD_HALF_BITS, count=WORDS_PER_KEYPOINT).ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(2 ** (2 * WORD_HALF_BITS) + 1)).astype(np.int32)
    points = np.concatenate([keypoints.xy, np.log(keypoints.scale)[:, None], keypoints.angle[:, None]], axis=1).astype(
        np.float32
    )
    rows = (order // WORDS_PER_KEYPOINT).astype(np.int32)
    return PhotoIndex(starts, rows, query.signatures[rows], points)


def rank(photo: PhotoIndex, base: Array, later: Array, places: Array, counts: Array) -> FloatArray:
    """(C,) float32 scores of the pictures at `places`, 0 or more, bigger is better.

    base, later: (P, 400, 2) uint64 records; places count on from one to the other; counts: (P,) int keypoints of
    the record at each place.
    """
    scores = np.zeros(len(places), np.float32)
    _rank(photo.starts, photo.rows, photo.signatures, photo.points, base, later, places, counts, scores)
    return scores


@kernel(fastmath=True)
def _rank(starts, rows, signatures, points, base, later, places, counts, scores):  # type: ignore[no-untyped-def]
    m_x, m_y = np.empty(MATCHES_AT_MOST, np.float32), np.empty(MATCHES_AT_MOST, np.float32)
    m_u, m_v = np.empty(MATCHES_AT_MOST, np.float32), np.empty(MATCHES_AT_MOST, np.float32)
    m_log, m_turn = np.empty(MATCHES_AT_MOST, np.float32), np.empty(MATCHES_AT_MOST, np.float32)
    m_weight = np.empty(MATCHES_AT_MOST, np.float32)
    for c in range(len(places)):
        record = record_at(base, later, places[c])
        found = 0
        for i in range(min(counts[places[c]], KEYPOINTS)):
            packed = record[i, 1]
            cell = np.int64(coarse_word(word_of(packed), WORD_HALF_BITS))
            nearest, chosen = HAMMING_LIMIT + 1, -1
            for e in range(starts[cell], starts[cell + 1]):
                distance = popcount(signatures[e] ^ record[i, 0])  # type: ignore[call-arg, var-annotated]
                if distance < nearest:
                    nearest, chosen = distance, rows[e]
            if chosen >= 0 and found < MATCHES_AT_MOST:
                m_x[found], m_y[found] = points[chosen, 0], points[chosen, 1]
                m_u[found] = np.float32(x_of(packed)) * PIXEL_STEP
                m_v[found] = np.float32(y_of(packed)) * PIXEL_STEP
                m_log[found] = points[chosen, 2] - np.float32(scale_of(packed)) * SCALE_STEP
                m_turn[found] = points[chosen, 3] - np.float32(angle_of(packed)) * ANGLE_STEP
                m_weight[found] = HAMMING_WEIGHT[nearest]
                found += 1
        scores[c] = _best_agreement(m_x, m_y, m_u, m_v, m_log, m_turn, m_weight, found)


@kernel(fastmath=True)
def _best_agreement(x, y, u, v, log_scale, turn, weight, found):  # type: ignore[no-untyped-def]
    """Weight of the matches that agree with the best single match: positions within 8 % of the picture's
    480 pixels (as seen in the photo), scales within a factor 1.6, angles within 0.6 rad."""
    best = np.float32(0)
    for i in range(found):
        size = np.exp(log_scale[i])
        cos, sin = size * np.cos(turn[i]), size * np.sin(turn[i])
        limit = (np.float32(0.08 * 480) * size) ** 2
        total = np.float32(0)
        for j in range(found):  # without a branch, so that it becomes vector instructions
            bend = turn[j] - turn[i]
            bend -= np.float32(2 * np.pi) * np.rint(bend / np.float32(2 * np.pi))
            du, dv = u[j] - u[i], v[j] - v[i]
            ex = x[i] + cos * du - sin * dv - x[j]
            ey = y[i] + sin * du + cos * dv - y[j]
            near = ex * ex + ey * ey < limit
            same_scale = abs(log_scale[j] - log_scale[i]) <= np.float32(0.47)
            agrees = near & same_scale & (abs(bend) <= np.float32(0.6))
            total += weight[j] if agrees else np.float32(0)
        best = max(best, total)
    return best
