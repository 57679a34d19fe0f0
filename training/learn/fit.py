"""Words, signature medians and the global descriptor's PCA, fitted on pictures' patch descriptors."""

from __future__ import annotations

from dataclasses import replace

import faiss
import numpy as np

from engine.describe.repeatability import FIGURES
from engine.describe.vocabulary import HALF_BITS, ROOT_BITS, Vocabulary
from engine.values import FloatArray


def kmeans(points: FloatArray, count: int, *, seed: int, iterations: int = 20) -> FloatArray:
    """(count, D) centroids by FAISS."""
    model = faiss.Kmeans(
        points.shape[1], count, niter=iterations, seed=seed, verbose=False, max_points_per_centroid=10**6
    )
    model.cp.min_points_per_centroid = 1
    model.train(np.ascontiguousarray(points, np.float32))
    assert model.centroids is not None
    return model.centroids.copy()


def tree_of(points: FloatArray, *, seed: int) -> list[FloatArray]:
    """Centroids of one half, level by level: 32 roots, each cell split in two five times."""
    levels = [kmeans(points, 2**ROOT_BITS, seed=seed)]
    node = faiss.knn(points, levels[0], 1)[1].ravel()
    for _ in range(HALF_BITS - ROOT_BITS):
        parents = levels[-1]
        children = np.repeat(parents, 2, axis=0)
        following = np.zeros_like(node)
        order = np.argsort(node, kind="stable")
        bounds = np.searchsorted(node[order], np.arange(len(parents) + 1))
        for cell in range(len(parents)):
            members = order[bounds[cell] : bounds[cell + 1]]
            if len(members) >= 2:
                pair = kmeans(points[members], 2, seed=seed, iterations=8)
                children[2 * cell : 2 * cell + 2] = pair
                following[members] = 2 * cell + faiss.knn(points[members], pair, 1)[1].ravel()
            else:
                # A cell too small to split: its second child is out of reach.
                children[2 * cell + 1] += 10
                following[members] = 2 * cell
        levels.append(children)
        node = following
    return levels


def fit_words(per_picture: list[FloatArray], *, vlad_words: int = 64, seed: int = 0) -> Vocabulary:
    """Words and medians, fitted on the descriptors of each training picture, a list of (N_i, D) float32. Repeatability
    (`training.learn.repeatability`) and projection (`with_projection`) are to be fitted after it, in this order, since
    each reads what was fitted before it."""
    rng = np.random.default_rng(seed)
    everything = np.concatenate(per_picture)
    sample = everything[rng.permutation(len(everything))[:400_000]]
    half = sample.shape[1] // 2
    sides = [tree_of(np.ascontiguousarray(sample[:, s * half : (s + 1) * half]), seed=seed) for s in (0, 1)]
    centroids = tuple(np.stack(pair) for pair in zip(*sides, strict=True))
    return Vocabulary(
        centroids,
        np.median(sample, axis=0).astype(np.float32),
        kmeans(sample, vlad_words, seed=seed),
        np.zeros(vlad_words * sample.shape[1], np.float32),
        np.zeros((vlad_words * sample.shape[1], 0), np.float32),
        np.zeros(len(FIGURES) + 1, np.float32),
    )


def with_projection(vocabulary: Vocabulary, vlads: FloatArray, *, dimension: int = 1024) -> Vocabulary:
    """The vocabulary with a projection to `dimension` numbers: the PCA of pictures' VLADs (N, K*D), whitened to the
    power of one half, since full whitening lifts the noise of the last axes as high as the first. Fewer pictures than
    dimensions leave the last columns zero."""
    mean = vlads.mean(0)
    _, spread, axes = np.linalg.svd(vlads - mean, full_matrices=False)
    kept = min(dimension, len(spread))
    spread = spread[:kept] / np.sqrt(len(vlads))
    matrix = np.zeros((vlads.shape[1], dimension), np.float32)
    matrix[:, :kept] = axes[:kept].T / np.sqrt(np.maximum(spread, spread[0] * 1e-3))
    return replace(vocabulary, vlad_mean=mean, vlad_matrix=matrix)
