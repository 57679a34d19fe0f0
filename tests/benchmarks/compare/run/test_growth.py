"""Recall and time against the gallery's size, and the pictures that are made up for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.compare.files import Grown, read_rows
from benchmarks.compare.material import Material
from benchmarks.compare.methods import find_method
from benchmarks.compare.parts.local_features import Classical
from benchmarks.compare.run.growth import decades, invent, measure_growth, recombined, sample
from benchmarks.compare.settings import RunSettings
from tests.support.drawn_sets import drawn


class TestGrowth:
    def test_rows(self, material: Material, tmp_path: Path) -> None:
        """Each method at each size; lists alone go on with made-up pictures."""
        methods = [find_method(n) for n in ("phash", "votes", "global", "global+orb", "exhaustive-orb")]
        measure_growth(tmp_path, material, methods, RunSettings(), descriptors=10_000)
        rows = read_rows(tmp_path / "growth.csv", Grown)
        sizes = {m: [r.gallery for r in rows if r.method == m] for m in ("phash", "votes", "global+orb")}
        assert sizes["phash"] == [10, 13, 100, 1000, 10_000]
        assert sizes["global+orb"] == [10, 13]
        assert sizes["votes"] == [10, 13, 25]
        assert not any(r.method == "exhaustive-orb" for r in rows)
        assert all(r.queries == 10 and r.recall_at_1 <= r.recall_at_10 <= r.recall_at_100 for r in rows)
        assert all(r.recall_at_1 == 1 for r in rows if r.method in ("votes", "global+orb"))

    def test_decades(self) -> None:
        assert decades(595, 12_000) == [595, 1000, 10_000, 12_000]
        assert decades(7, 7) == [7]

    def test_sample(self, material: Material) -> None:
        """Photos of nothing do not take part."""
        assert len(sample(material, 0)) == 10

    def test_invented(self) -> None:
        """Made-up pictures have the real ones' shapes and types, and are not the real ones."""
        rng = np.random.default_rng(0)
        hashes = [{"bits": rng.integers(0, 256, 8).astype(np.uint8)} for _ in range(9)]
        made = invent(hashes, 40, rng)
        assert {m["bits"].shape for m in made} == {(8,)}
        assert len({m["bits"].tobytes() for m in made}) > 30
        vectors = rng.normal(size=(9, 70)).astype(np.float32)
        mixed = recombined(vectors, 30, rng)
        assert mixed.shape == (30, 70)
        assert np.allclose(np.linalg.norm(mixed, axis=1), 1, atol=1e-5)
        orb = Classical("orb")
        real = [orb.describe(drawn(s), photo=False) for s in range(2)]
        local = invent(real, 3, rng)
        assert {k: v.dtype for k, v in local[0].items()} == {k: v.dtype for k, v in real[0].items()}
        assert len(local[0]["xy"]) == len(local[0]["descriptors"]) == len(real[0]["xy"])
