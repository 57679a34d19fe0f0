"""Visual words of ORB in an inverted file with tf-idf weights: the first half of the Pastec recipe.

Pastec (github.com/magwyz/pastec) is the open image search engine of which many self-hosted ones were made: a
vocabulary of a million ORB words, an inverted file, 300 candidates, a check of the angles, RANSAC. Here the
vocabulary is a tree of two levels (Nister & Stewenius 2006) of majority bits, trained on the gallery's own
descriptors: up to 65,536 words, which suits galleries of some thousand pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.local_features import Classical
from benchmarks.compare.parts.shortlists.ordering import best
from engine.describe.signatures import popcount
from engine.errors import ResearchError
from engine.kernels import kernel
from engine.values import Array, FloatArray

_BRANCHES = 256
"""Most branches of each of the tree's two levels."""
_SAMPLE = 400_000
"""Most descriptors that the tree is trained on."""
_ROUNDS = 6
"""Rounds of the k-means that makes a level."""
FEWEST_PAIRS = 12
"""Pairs below which Pastec tries no geometry."""
_BINS = 32
"""The angle between matched keypoints is counted in so many bins: one is 11 degrees."""


class OrbWords(Classical):
    """A list by tf-idf, and the pairs of keypoints that share a word, for the checks that follow."""

    def __init__(self) -> None:
        super().__init__("orb")
        self._tree: tuple[Array, Array] | None = None

    def build(self, pictures: Sequence[Arrays]) -> None:
        descriptors = np.concatenate([p["descriptors"] for p in pictures])
        counts = np.array([len(p["descriptors"]) for p in pictures])
        self._tree = _train(descriptors)
        words = _words(descriptors, *self._tree)
        size = self._tree[0].shape[0] * self._tree[1].shape[1]
        self._count, self._words_total = len(pictures), size
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self._words_of = words.astype(np.int32)
        self._xy = np.concatenate([p["xy"] for p in pictures])
        self._angle = np.concatenate([p["angle"] for p in pictures])
        owner = np.repeat(np.arange(len(pictures)), counts)
        # One posting per picture and word, with the word's frequency in the picture.
        pairs, back, frequency = np.unique(
            words.astype(np.int64) * len(pictures) + owner, return_inverse=True, return_counts=True
        )
        self._alone = frequency[back] == 1
        word, self._posted = np.divmod(pairs, len(pictures))
        self._offsets = np.searchsorted(word, np.arange(size + 1))
        holders = np.diff(self._offsets)
        self._idf = np.log(len(pictures) / np.maximum(holders, 1)).astype(np.float32)
        weights = frequency * self._idf[word]
        norms = np.sqrt(np.bincount(self._posted, weights**2, len(pictures)))
        self._weights = (weights / np.maximum(norms[self._posted], 1e-9)).astype(np.float32)

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        words, frequency = np.unique(self.words(photo), return_counts=True)
        scores = np.zeros(self._count, np.float32)
        for word, times in zip(words, frequency, strict=True):
            listed = slice(self._offsets[word], self._offsets[word + 1])
            scores[self._posted[listed]] += times * self._idf[word] * self._weights[listed]
        return best(scores, k)

    def words(self, photo: Arrays) -> Array:
        """(N,) visual word of each keypoint."""
        if self._tree is None:
            raise ResearchError("the vocabulary is trained when the gallery is built")
        return _words(photo["descriptors"], *self._tree)

    def rows_of_words(self, photo: Arrays) -> Array:
        """(V,) the keypoint that alone has each word, -1 for words of none or several."""
        words = self.words(photo)
        rows = np.full(self._words_total, -1, np.int64)
        rows[words] = np.arange(len(words))
        rows[np.bincount(words, minlength=self._words_total) > 1] = -1
        return rows

    def pairs(self, photo: Arrays, rows_of_words: Array, number: int) -> tuple[Array, Array]:
        """(M, 2) picture points and (M, 2) photo points of keypoints that share a word (a word that either side
        holds more than once says little where, and is left out) and turn by the most common angle, a bin to each
        side of it."""
        mine = slice(self._first[number], self._first[number + 1])
        rows = rows_of_words[self._words_of[mine]]
        columns = np.flatnonzero(self._alone[mine] & (rows >= 0))
        rows = rows[columns]
        turn = (photo["angle"][rows] - self._angle[mine][columns]) % (2 * np.pi)
        bins = (turn * _BINS / (2 * np.pi)).astype(np.int64) % _BINS
        votes = np.bincount(bins, minlength=_BINS)
        smooth = votes + np.roll(votes, 1) + np.roll(votes, -1)
        away = np.abs((bins - smooth.argmax() + _BINS // 2) % _BINS - _BINS // 2)
        kept = away <= 1
        return self._xy[mine][columns[kept]], photo["xy"][rows[kept]]

    def bytes_per_picture(self) -> float:
        """Bytes of the postings' picture numbers and weights, and of each keypoint's word, place and angle for the
        checks."""
        return float((8 * len(self._posted) + (4 + 4 + 1) * len(self._words_of)) / max(self._count, 1))


def _train(descriptors: Array) -> tuple[Array, Array]:
    """(B, 4) roots and (B, B, 4) leaves, uint64; fewer branches for few descriptors."""
    rng = np.random.default_rng(0)
    sample = descriptors[rng.permutation(len(descriptors))[:_SAMPLE]]
    branches = int(np.clip(int((len(sample) / 6) ** 0.5), 1, _BRANCHES))
    roots = _majority_means(sample[: 200 * branches], branches, rng)
    nearest = _nearest(sample, roots)
    leaves = np.stack([_majority_means(sample[nearest == b], branches, rng) for b in range(branches)])
    return roots, leaves


def _majority_means(sample: Array, count: int, rng: np.random.Generator) -> Array:
    """k-means of bits: the centre of a cell holds each bit that most of its members hold (Grana et al. 2013)."""
    if not len(sample):
        return np.zeros((count, 4), np.uint64)
    centres = sample[rng.permutation(len(sample))[:count]]
    centres = np.concatenate([centres, centres[:1].repeat(count - len(centres), 0)])
    if len(sample) <= count:
        return centres
    bits = np.unpackbits(np.ascontiguousarray(sample).view(np.uint8), axis=1)
    for _ in range(_ROUNDS):
        nearest = _nearest(sample, centres)
        order = np.argsort(nearest, kind="stable")
        cells, starts = np.unique(nearest[order], return_index=True)
        sums = np.add.reduceat(bits[order], starts, axis=0, dtype=np.int32)
        sizes = np.diff([*starts, len(order)])
        centres = centres.copy()
        centres[cells] = np.packbits(2 * sums > sizes[:, None], axis=1).view(np.uint64)
    return centres


def _words(descriptors: Array, roots: Array, leaves: Array) -> Array:
    return _descend(np.ascontiguousarray(descriptors), roots, leaves)  # type: ignore[no-any-return]


@kernel()
def _nearest(descriptors, centres):  # type: ignore[no-untyped-def]  # compiled by Numba
    result = np.zeros(len(descriptors), np.int64)
    for i in range(len(descriptors)):
        result[i] = _closest(descriptors[i], centres)
    return result


@kernel()
def _descend(descriptors, roots, leaves):  # type: ignore[no-untyped-def]  # compiled by Numba
    result = np.zeros(len(descriptors), np.int64)
    for i in range(len(descriptors)):
        root = _closest(descriptors[i], roots)
        result[i] = root * leaves.shape[1] + _closest(descriptors[i], leaves[root])
    return result


@kernel()
def _closest(bits, centres):  # type: ignore[no-untyped-def]  # compiled by Numba
    nearest, chosen = 1_000_000, 0
    for c in range(len(centres)):
        distance = 0
        for w in range(len(bits)):
            distance += popcount(bits[w] ^ centres[c, w])  # type: ignore[call-arg]
        if distance < nearest:
            nearest, chosen = distance, c
    return chosen
