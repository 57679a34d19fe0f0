"""Visual words, 64-bit signatures and the global descriptor, all from the patch descriptors.

A word has 20 bits: the descriptor's two halves are quantised apart (a multi-index, Babenko & Lempitsky 2012),
10 bits each. The centroids of a half form a tree, 32 roots that split in two five times, so that the first
5 + m bits of a half's number are its cell on level m: coarser words are prefixes of the fine ones, and one
stored word serves every preset.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ModelError
from engine.kernels import kernel, part_of_kernels
from engine.values import Array, FloatArray

HALF_BITS = 10
ROOT_BITS = 5
ASSIGNED_CELLS = 4
"""Cells of the global descriptor that a patch takes part in: docs/decisions/0008."""
_MATRICES = ("medians", "vlad_centroids", "vlad_mean", "vlad_matrix", "repeatability")


@dataclass(frozen=True)
class Vocabulary:
    """centroids[m]: (2, 2**(5+m), D/2) float32, level m of both halves' trees, m = 0..5;
    medians: (D,) of the descriptors, which halve each bit of the signature;
    vlad_centroids: (K, D); vlad_mean: (K*D,); vlad_matrix: (K*D, G) PCA with whitening;
    repeatability: (7,) weights of `engine.describe.repeatability`, zeros: all keypoints alike."""

    centroids: tuple[FloatArray, ...]
    medians: FloatArray
    vlad_centroids: FloatArray
    vlad_mean: FloatArray
    vlad_matrix: FloatArray
    repeatability: FloatArray

    @property
    def global_dimension(self) -> int:
        return int(self.vlad_matrix.shape[1])

    def words(self, descriptors: FloatArray) -> Array:
        """(N,) uint32: the 20-bit word of each descriptor (N, D), by descending both trees."""
        half = descriptors.shape[1] // 2
        word = np.zeros(len(descriptors), np.uint32)
        for side in (0, 1):
            part = descriptors[:, side * half : (side + 1) * half]
            node = _squared(part, self.centroids[0][side]).argmin(1)
            for level in range(1, len(self.centroids)):
                children = self.centroids[level][side].reshape(-1, 2, half)[node]
                nearer = ((part[:, None] - children) ** 2).sum(2).argmin(1)
                node = 2 * node + nearer
            word = word << HALF_BITS | node.astype(np.uint32)
        return word

    def nearest_words(self, descriptors: FloatArray, *, half_bits: int, count: int) -> Array:
        """(N, count) int32: each descriptor's nearest words of 2 x `half_bits` bits, nearest first."""
        level, half = half_bits - ROOT_BITS, descriptors.shape[1] // 2
        left = _squared(descriptors[:, :half], self.centroids[level][0])
        right = _squared(descriptors[:, half:], self.centroids[level][1])
        nearest: Array = _nearest_pairs(left, right, count)
        return nearest

    def signatures(self, descriptors: FloatArray) -> Array:
        """(N,) uint64: one bit per dimension, set above the median."""
        bits = np.packbits(descriptors > self.medians, axis=1, bitorder="little")
        return np.ascontiguousarray(bits).view(np.uint64).ravel()

    def global_descriptor(self, descriptors: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        """(G,) float32 on the unit sphere: VLAD (Jegou et al. 2010) with intra-normalisation (Arandjelovic &
        Zisserman 2013), signed square root, PCA whitening. Zeros for no descriptors. weights: (N,) float32 of the
        descriptors, None: alike."""
        if not len(descriptors):
            return np.zeros(self.global_dimension, np.float32)
        one: FloatArray = self.project(self.vlad(descriptors, weights)[None])[0]
        return one

    def project(self, vlads: FloatArray) -> FloatArray:
        """(N, G) float32 global descriptors of (N, K*D) VLADs; together they take little more time than one."""
        projected = (vlads - self.vlad_mean) @ self.vlad_matrix
        unit: FloatArray = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9)
        return unit.astype(np.float32)

    def vlad(self, descriptors: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        """(K*D,) float32 before the PCA. Each descriptor takes part in its ASSIGNED_CELLS nearest cells
        alike (soft assignment, Philbin et al. 2008, without its weights); `weights` as in `global_descriptor`."""
        far = _squared(descriptors, self.vlad_centroids)
        near = np.argpartition(far, ASSIGNED_CELLS - 1, axis=1)[:, :ASSIGNED_CELLS]
        shares = np.zeros(far.shape, np.float32)
        np.put_along_axis(shares, near, 1 if weights is None else weights[:, None], axis=1)
        cells = shares.T @ descriptors - shares.sum(0)[:, None] * self.vlad_centroids
        cells /= np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), 1e-9)
        flat = np.sign(cells) * np.sqrt(np.abs(cells))
        unit: FloatArray = flat / max(float(np.linalg.norm(flat)), 1e-9)
        return unit.ravel().astype(np.float32)


def coarsen(words: Any, half_bits: int) -> Any:
    """Words of 2 x `half_bits` bits from a 20-bit word or an array of them (unsigned): of both halves' numbers the
    first bits stay. Compiled kernels call it by the name `coarse_word`."""
    drop = np.uint64(HALF_BITS - half_bits)
    left, right = words >> np.uint64(HALF_BITS), words & np.uint64(2**HALF_BITS - 1)
    return (left >> drop) << np.uint64(half_bits) | (right >> drop)


coarse_word = part_of_kernels(coarsen)


def _squared(points: FloatArray, centres: FloatArray) -> FloatArray:
    """(N, K) squared distances, less each point's own norm, which no ranking needs."""
    result = (-2 * points) @ centres.T
    result += (centres**2).sum(1)
    return result


@kernel()
def _nearest_pairs(left, right, count):  # type: ignore[no-untyped-def]  # compiled by Numba
    """The `count` best sums left[i] + right[j] of each row: only the first few of each side can take part."""
    rows, cells = left.shape
    words = np.empty((rows, count), np.int32)
    best_l, best_r = np.empty(count, np.int64), np.empty(count, np.int64)
    taken = np.empty(count, np.int64)
    for n in range(rows):
        for side in range(2):
            values = left[n] if side == 0 else right[n]
            best = best_l if side == 0 else best_r
            filled, worst = 0, np.float32(np.inf)
            for i in range(cells):
                if filled < count or values[i] < worst:  # the former also for NaN: no place stays unset
                    at = min(filled, count - 1)
                    while at > 0 and values[best[at - 1]] > values[i]:
                        best[at] = best[at - 1]
                        at -= 1
                    best[at] = i
                    filled = min(filled + 1, count)
                    if filled == count:
                        worst = values[best[count - 1]]
        taken[:] = 0
        for k in range(count):
            low, chosen = np.inf, 0
            for i in range(count):
                if taken[i] < count:
                    total = left[n, best_l[i]] + right[n, best_r[taken[i]]]
                    if total < low:
                        low, chosen = total, i
            words[n, k] = best_l[chosen] * cells + best_r[taken[chosen]]
            taken[chosen] += 1
    return words


def load_vocabulary(path: Path) -> Vocabulary:
    """From the .npz that training wrote (float16 inside). Raises ModelError."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            levels = tuple(file[f"centroids{m}"].astype(np.float32) for m in range(HALF_BITS - ROOT_BITS + 1))
            rest = (file[k].astype(np.float32) for k in _MATRICES)
            return Vocabulary(levels, *rest)
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is no vocabulary: {error}") from error


def save_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """Writes the .npz; matrices as float16, which keeps the file small and costs no recall."""
    levels = {f"centroids{m}": level.astype(np.float16) for m, level in enumerate(vocabulary.centroids)}
    np.savez_compressed(
        path,
        allow_pickle=False,
        **levels,
        medians=vocabulary.medians.astype(np.float32),
        vlad_centroids=vocabulary.vlad_centroids.astype(np.float16),
        vlad_mean=vocabulary.vlad_mean.astype(np.float16),
        vlad_matrix=vocabulary.vlad_matrix.astype(np.float16),
        repeatability=vocabulary.repeatability.astype(np.float32),
    )
