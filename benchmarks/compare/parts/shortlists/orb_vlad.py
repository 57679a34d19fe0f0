"""VLAD (Jegou et al. 2010) of ORB descriptors: 64 centres, power law, PCA to at most 512 dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.local_features import Classical
from benchmarks.compare.parts.shortlists.ordering import best
from engine.values import Array, FloatArray

_CENTRES, _DIMENSIONS = 64, 512
_SAMPLE, _ROUNDS = 40_000, 12
"""Descriptors that the centres are trained on, and rounds of the k-means."""
_FITTED = 1500
"""Most pictures that the PCA is fitted on."""


class OrbVlad(Classical):
    """One vector of each picture, fitted on the gallery itself; scores are cosines."""

    def __init__(self) -> None:
        super().__init__("orb")

    def build(self, pictures: Sequence[Arrays]) -> None:
        rng = np.random.default_rng(0)
        descriptors = np.concatenate([p["descriptors"] for p in pictures])
        self._centres = _means(_signs(descriptors[rng.permutation(len(descriptors))[:_SAMPLE]]), rng)
        some = rng.permutation(len(pictures))[:_FITTED]
        fitted = np.stack([self._vlad(pictures[i]) for i in some])
        self._mean = fitted.mean(0)
        self._matrix = _pca(fitted - self._mean)
        self._vectors = np.stack([self._vector(p) for p in pictures])

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        return best(self._vectors @ self._vector(photo), k)

    def bytes_per_picture(self) -> float:
        return float(4 * self._vectors.shape[1])

    def _vector(self, described: Arrays) -> FloatArray:
        projected = (self._vlad(described) - self._mean) @ self._matrix
        unit: FloatArray = projected / max(float(np.linalg.norm(projected)), 1e-9)
        return unit

    def _vlad(self, described: Arrays) -> FloatArray:
        """(K * 256,) float32: residuals by centre, each of unit length (Arandjelovic & Zisserman 2013), then the
        signed square root (Jegou et al. 2012)."""
        signs = _signs(described["descriptors"])
        one_hot = np.zeros((len(self._centres), len(signs)), np.float32)
        nearest = _assign(signs, self._centres)
        one_hot[nearest, np.arange(len(signs))] = 1
        cells = one_hot @ signs - one_hot.sum(1, keepdims=True) * self._centres
        cells /= np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), np.float32(1e-9))
        flat = np.sign(cells) * np.sqrt(np.abs(cells))
        unit: FloatArray = flat.ravel() / max(float(np.linalg.norm(flat)), 1e-9)
        return unit


def _signs(descriptors: Array) -> FloatArray:
    """(N, 256) float32 of -1 and +1."""
    bits = np.unpackbits(np.ascontiguousarray(descriptors).view(np.uint8).reshape(-1, 32), axis=1)
    return bits.astype(np.float32) * 2 - 1


def _assign(points: FloatArray, centres: FloatArray) -> Array:
    nearest: Array = (points @ centres.T - (centres**2).sum(1) / 2).argmax(1)
    return nearest


def _means(points: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Lloyd's k-means; an empty cell keeps its centre."""
    centres = points[rng.permutation(len(points))[:_CENTRES]]
    for _ in range(_ROUNDS):
        nearest = _assign(points, centres)
        one_hot = np.zeros((len(centres), len(points)), np.float32)
        one_hot[nearest, np.arange(len(points))] = 1
        sizes = one_hot.sum(1, keepdims=True)
        centres = np.where(sizes > 0, one_hot @ points / np.maximum(sizes, 1), centres)
    return centres


def _pca(centred: FloatArray) -> FloatArray:
    """(D, G): main directions through the Gram matrix, since there are fewer pictures than dimensions. Without
    whitening: a small gallery's last directions are noise."""
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    kept = np.flatnonzero(values > 1e-6 * values.max(initial=1e-9))[::-1][:_DIMENSIONS]
    if not len(kept):  # a single picture, or equal ones
        return np.eye(centred.shape[1], 1, dtype=np.float32)
    directions: FloatArray = (centred.T @ (vectors[:, kept] / np.sqrt(values[kept]))).astype(np.float32)
    return directions
