"""The index of global descriptors against NumPy, exact and with lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.describe.records import quantise
from engine.shortlist import global_index
from engine.shortlist.global_index import VectorIndex, build_index, load_index, save_index, search

COUNT = 2_000


def vectors_of(count: int, seed: int = 0) -> np.ndarray:
    """(N, 64) int8 in clusters, as pictures of one kind are."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, 64))
    points = centres[rng.integers(0, 40, count)] + 0.5 * rng.standard_normal((count, 64))
    return np.stack([quantise(p / np.linalg.norm(p)) for p in points])


VECTORS = vectors_of(COUNT)
SLOTS = np.arange(COUNT) * 3 + 1
"""Slots have gaps, so that a row taken for a slot is noticed."""
EVERYTHING = np.ones(3 * COUNT + 1, np.uint8)


@pytest.fixture(params=["exact", "ivf"])
def index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> VectorIndex:
    """Both kinds over the same vectors."""
    if request.param == "ivf":
        monkeypatch.setattr(global_index, "EXACT_UP_TO", 100)
    made = build_index(SLOTS, VECTORS)
    assert made.kind == request.param
    return made


def queries(*rows: int) -> np.ndarray:
    """(Q, 64) float32 unit vectors near those rows."""
    noise = np.random.default_rng(1).normal(0, 10, (len(rows), 64))
    points = VECTORS[list(rows)] + noise
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def products_with(query: np.ndarray) -> np.ndarray:
    """(N,) inner products of all vectors with the quantised query."""
    return VECTORS.astype(np.int64) @ quantise(query).astype(np.int64)


class TestSearch:
    def test_against_numpy(self) -> None:
        """Exact: slots and similarities are those of the inner products."""
        index = build_index(SLOTS, VECTORS)
        for row in (0, 7, 1999):
            query = queries(row)
            products = products_with(query[0])
            slots, similarities = search(index, query, EVERYTHING, depth=50)
            assert np.allclose(similarities, np.sort(products)[::-1][:50], rtol=1e-5)
            assert np.allclose(products[(slots - 1) // 3], similarities, rtol=1e-5)
            assert slots[0] == SLOTS[row]

    def test_several_queries(self) -> None:
        """Windows of a photo: each slot once, with its best similarity."""
        index = build_index(SLOTS, VECTORS)
        several = queries(5, 5, 100, 1500)
        products = np.max([products_with(q) for q in several], axis=0)
        slots, similarities = search(index, several, EVERYTHING, depth=60)
        assert len(np.unique(slots)) == len(slots) == 60
        assert np.allclose(similarities, np.sort(products)[::-1][:60], rtol=1e-5)

    def test_lists_find_almost_all(self, index: VectorIndex) -> None:
        """Of the ten nearest, either kind finds nine or more on average."""
        shares = []
        for row in range(0, COUNT, 100):
            query = queries(row)
            nearest = SLOTS[np.argsort(-products_with(query[0]))[:10]]
            shares.append(np.isin(nearest, search(index, query, EVERYTHING, depth=10)[0]).mean())
        assert np.mean(shares) >= 0.9

    def test_hidden(self, index: VectorIndex) -> None:
        """What is hidden is not found; the next ones move up."""
        query = queries(42)
        before = search(index, query, EVERYTHING, depth=20)[0]
        allowed = EVERYTHING.copy()
        allowed[before[:10]] = 0
        after = search(index, query, allowed, depth=20)[0]
        assert not np.isin(before[:10], after).any()
        assert after[:10].tolist() == before[10:].tolist()

    @pytest.mark.parametrize("visible", [0, 1, 5])
    def test_fewer_than_asked(self, index: VectorIndex, visible: int) -> None:
        """Where fewer are left than asked for, those come and no mark of FAISS's (-1)."""
        chosen = SLOTS[products_with(queries(9)[0]).argsort()[::-1][:visible]]
        allowed = np.zeros_like(EVERYTHING)
        allowed[chosen] = 1
        slots, similarities = search(index, queries(9), allowed, depth=100)
        assert sorted(slots.tolist()) == sorted(chosen.tolist())
        assert len(similarities) == visible

    def test_deeper_than_the_index(self) -> None:
        """More than there are cannot be found."""
        index = build_index(SLOTS[:7], VECTORS[:7])
        slots, _ = search(index, queries(1), EVERYTHING, depth=1000)
        assert sorted(slots.tolist()) == SLOTS[:7].tolist()

    def test_lists_deeper_than_they_read(self, index: VectorIndex) -> None:
        """Whatever is asked for, only real slots are given, each once."""
        slots, _ = search(index, queries(1, 2, 3), EVERYTHING, depth=COUNT)
        assert np.isin(slots, SLOTS).all()
        assert len(np.unique(slots)) == len(slots)

    def test_empty(self) -> None:
        """An index of nothing finds nothing."""
        index = build_index(np.zeros(0, np.int64), np.zeros((0, 64), np.int8))
        slots, similarities = search(index, queries(1), np.zeros(0, np.uint8), depth=10)
        assert (len(slots), len(similarities)) == (0, 0)

    def test_a_query_keeps_its_fractions(self) -> None:
        """Similarities follow the cosine: a query of unit length is not rounded to nothing."""
        index, query = build_index(SLOTS, VECTORS), queries(3)
        slots, similarities = search(index, query, EVERYTHING, depth=COUNT)
        cosines = VECTORS[(slots - 1) // 3] @ query[0]
        assert np.corrcoef(similarities, cosines)[0, 1] > 0.999


class TestFile:
    def test_round_trip(self, index: VectorIndex, tmp_path: Path) -> None:
        """A saved index finds the same, hidden pictures or not."""
        save_index(index, tmp_path / "i")
        again = load_index(tmp_path / "i")
        assert again.kind == index.kind
        assert again.bytes == index.bytes
        allowed = EVERYTHING.copy()
        allowed[::2] = 0
        for mask in (EVERYTHING, allowed):
            for a, b in zip(
                search(index, queries(8), mask, depth=30), search(again, queries(8), mask, depth=30), strict=True
            ):
                assert (a == b).all()
