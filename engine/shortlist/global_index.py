"""Shortlist by the global descriptor: the one module that speaks FAISS when searching.

FAISS marks "nothing found" by the number -1; it does not leave this module.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from engine.describe.records import quantise
from engine.values import Array, FloatArray

EXACT_UP_TO = 200_000
"""Pictures up to which every vector is compared (18 ms a million on one core); above, 2 * sqrt(N) lists of
which `_PROBES` are read."""
_PROBES = 32
_BATCH = 50_000
"""Vectors that are widened to float32 at a time."""


@dataclass(frozen=True)
class VectorIndex:
    """The global descriptors of N pictures, int8, compared by their inner product."""

    places: Array
    """(N,) int64, ascending: where each picture's record lies."""
    index: faiss.Index
    """Row i is the picture at places[i]."""

    @property
    def kind(self) -> str:
        return "ivf" if isinstance(self.index, faiss.IndexIVF) else "exact"

    @property
    def bytes(self) -> int:
        return int(self.index.ntotal * self.index.d + self.places.nbytes)


def build_index(places: Array, vectors: Array) -> VectorIndex:
    """places: (N,) int64; vectors: (N, G) int8."""
    dimension = vectors.shape[1]
    code = faiss.ScalarQuantizer.QT_8bit_direct_signed
    index: faiss.Index
    if len(places) <= EXACT_UP_TO:
        index = faiss.IndexScalarQuantizer(dimension, code, faiss.METRIC_INNER_PRODUCT)
    else:
        lists = int(2 * len(places) ** 0.5)
        coarse = faiss.IndexFlatIP(dimension)
        index = faiss.IndexIVFScalarQuantizer(coarse, dimension, lists, code, faiss.METRIC_INNER_PRODUCT, False)
        index.own_fields = True
        coarse.this.disown()  # type: ignore[attr-defined]  # SWIG's handle
        index.cp.niter = 10
        sample = np.random.default_rng(0).permutation(len(places))[: 40 * lists]
        index.train(vectors[np.sort(sample)].astype(np.float32))
        index.nprobe = _PROBES
    for start in range(0, len(places), _BATCH):
        index.add(vectors[start : start + _BATCH].astype(np.float32))
    return VectorIndex(np.asarray(places, np.int64), index)


def search(vectors: VectorIndex, queries: FloatArray, allowed: Array, *, depth: int) -> tuple[Array, FloatArray]:
    """The `depth` places most similar to any of `queries` (Q, G), unit vectors, and their similarities (inner
    products of the quantised vectors), best first; each place once. allowed: (P,) uint8 by place, 0 hides a
    picture."""
    visible = allowed[vectors.places]
    if not visible.any():
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    parameters: faiss.SearchParameters | None = None
    if not visible.all():
        bitmap = np.packbits(visible != 0, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(visible), faiss.swig_ptr(bitmap))
        if vectors.kind == "ivf":
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=_PROBES)  # type: ignore[call-arg]
        else:
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
    depth = min(depth, len(vectors.places))
    # FAISS cuts the fractions off a query of this code: one of unit length would become all zeros.
    codes = np.ascontiguousarray(quantise(queries), np.float32)
    similarity, row = vectors.index.search(codes, depth, params=parameters)
    similarity, row = similarity.ravel(), row.ravel()
    similarity, row = similarity[row >= 0], row[row >= 0]
    order = np.lexsort((row, -similarity))
    row, similarity = row[order], similarity[order]
    first = np.sort(np.unique(row, return_index=True)[1])[:depth]
    return vectors.places[row[first]], similarity[first]


FILES = ("vectors.faiss", "vector-slots.npy")
"""How the names of a saved index's files end."""


def save_index(vectors: VectorIndex, path: Path) -> None:
    # Through a file of ours: FAISS opens no path that is not UTF-8.
    with Path(f"{path}-vectors.faiss").open("wb") as raw:
        faiss.write_index(vectors.index, faiss.PyCallbackIOWriter(raw.write))  # type: ignore[attr-defined]
    np.save(f"{path}-vector-slots.npy", vectors.places)
    for name in FILES:
        with Path(f"{path}-{name}").open("rb") as file:
            os.fsync(file.fileno())


def load_index(path: Path) -> VectorIndex:
    """What `save_index` wrote. Raises ValueError, and whatever NumPy and FAISS raise, where it is not that: FAISS
    believes what its file says, so that who has a sum of it compares that first."""
    places = np.load(f"{path}-vector-slots.npy")
    if places.ndim != 1 or places.dtype != np.int64 or (np.diff(places) <= 0).any() or (places < 0).any():
        raise ValueError("places that do not grow")
    with Path(f"{path}-vectors.faiss").open("rb") as raw:
        index = faiss.read_index(faiss.PyCallbackIOReader(raw.read))  # type: ignore[attr-defined]
    whole = index.ntotal == len(places) and index.metric_type == faiss.METRIC_INNER_PRODUCT
    if isinstance(index, faiss.IndexIVF):
        lists = index.invlists
        whole &= index.nprobe == _PROBES and lists is not None and index.quantizer.ntotal == index.nlist == lists.nlist
    else:
        whole &= isinstance(index, faiss.IndexScalarQuantizer) and index.codes.size() == index.ntotal * index.d
    if not whole:
        raise ValueError("FAISS has another index than was written")
    return VectorIndex(places, index)
