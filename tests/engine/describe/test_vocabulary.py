"""Words, signatures and the global descriptor, against their plain definitions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.describe.signatures import unpack_signatures
from engine.describe.vocabulary import (
    ASSIGNED_CELLS,
    HALF_BITS,
    ROOT_BITS,
    Vocabulary,
    load_vocabulary,
    save_vocabulary,
)
from engine.errors import ModelError


def unit(count: int, seed: int = 0, dimension: int = 64) -> np.ndarray:
    points = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def descended(part: np.ndarray, levels: list[np.ndarray]) -> int:
    """The cell of one half, found step by step as the docstring tells."""
    node = int(((levels[0] - part) ** 2).sum(1).argmin())
    for level in levels[1:]:
        pair = level[2 * node : 2 * node + 2]
        node = 2 * node + int(((pair - part) ** 2).sum(1).argmin())
    return node


class TestWords:
    def test_range(self, vocabulary: Vocabulary) -> None:
        """A word has 20 bits."""
        words = vocabulary.words(unit(500))
        assert words.dtype == np.uint32
        assert words.max() < 2 ** (2 * HALF_BITS)
        assert len(np.unique(words)) > 100

    def test_none(self, vocabulary: Vocabulary) -> None:
        """No descriptors have no words."""
        assert vocabulary.words(unit(0)).shape == (0,)

    def test_descent(self, vocabulary: Vocabulary) -> None:
        """Each half goes down its tree, always to the nearer child."""
        points = unit(200)
        left = [descended(p[:32], [c[0] for c in vocabulary.centroids]) for p in points]
        right = [descended(p[32:], [c[1] for c in vocabulary.centroids]) for p in points]
        assert vocabulary.words(points).tolist() == [a << HALF_BITS | b for a, b in zip(left, right, strict=True)]

    @pytest.mark.parametrize("half_bits", range(ROOT_BITS, HALF_BITS + 1))
    def test_coarser_words_are_prefixes(self, vocabulary: Vocabulary, half_bits: int) -> None:
        """The first bits of each half are the word that a vocabulary with only the upper levels gives."""
        points = unit(300)
        upper = replace(vocabulary, centroids=vocabulary.centroids[: half_bits - ROOT_BITS + 1])
        word, coarse, drop = vocabulary.words(points), upper.words(points), HALF_BITS - half_bits
        assert (word >> HALF_BITS >> drop == coarse >> HALF_BITS).all()
        assert ((word & 1023) >> drop == coarse & 1023).all()

    def test_the_roots_are_the_nearest(self, vocabulary: Vocabulary) -> None:
        """On the coarsest level, where nothing was descended, the prefix is the nearest cell of all."""
        points = unit(300)
        word, nearest = vocabulary.words(points), vocabulary.nearest_words(points, half_bits=ROOT_BITS, count=1)
        coarse = (word >> HALF_BITS >> 5 << ROOT_BITS) | ((word & 1023) >> 5)
        assert (coarse == nearest[:, 0]).all()


class TestNearestWords:
    @pytest.mark.parametrize("count", [1, 5, 8])
    @pytest.mark.parametrize("half_bits", [5, 6, 7])
    def test_against_all_pairs(self, vocabulary: Vocabulary, half_bits: int, count: int) -> None:
        """They are the best of all pairs of cells, nearest first."""
        points, centroids = unit(25, seed=half_bits), vocabulary.centroids[half_bits - ROOT_BITS]
        found = vocabulary.nearest_words(points, half_bits=half_bits, count=count)
        assert found.shape == (25, count)
        assert found.dtype == np.int32
        cells = 2**half_bits
        for point, words in zip(points.astype(np.float64), found, strict=True):
            left = ((centroids[0] - point[:32]) ** 2).sum(1)
            right = ((centroids[1] - point[32:]) ** 2).sum(1)
            totals = (left[:, None] + right[None]).ravel()
            assert len(set(words.tolist())) == count
            assert np.allclose(totals[words], np.sort(totals)[:count], atol=1e-4)
            assert words.max() < cells**2

    def test_none(self, vocabulary: Vocabulary) -> None:
        """No descriptors have no words."""
        assert vocabulary.nearest_words(unit(0), half_bits=6, count=4).shape == (0, 4)


class TestSignatures:
    def test_bits(self, vocabulary: Vocabulary) -> None:
        """A bit is set where the descriptor lies above the median, the lowest bit for the first number."""
        points = unit(50)
        for point, signature in zip(points, vocabulary.signatures(points).tolist(), strict=True):
            assert signature == sum(1 << d for d in range(64) if point[d] > vocabulary.medians[d])

    def test_unpacked(self, vocabulary: Vocabulary) -> None:
        """Unpacked, they are the signs."""
        points = unit(50)
        signs = unpack_signatures(vocabulary.signatures(points))
        assert (signs == np.where(points > vocabulary.medians, 1, -1)).all()
        assert signs.dtype == np.float32

    def test_none(self, vocabulary: Vocabulary) -> None:
        """No descriptors have no signatures."""
        none = vocabulary.signatures(unit(0))
        assert none.shape == (0,)
        assert none.dtype == np.uint64
        assert unpack_signatures(none).shape == (0, 64)


class TestGlobalDescriptor:
    @pytest.mark.parametrize("count", [1, 2, 400])
    def test_unit_norm(self, vocabulary: Vocabulary, count: int) -> None:
        """It lies on the unit sphere, for a single keypoint as for many."""
        vector = vocabulary.global_descriptor(unit(count))
        assert vector.shape == (vocabulary.global_dimension,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)

    def test_none(self, vocabulary: Vocabulary) -> None:
        """Without keypoints it is zero."""
        assert (vocabulary.global_descriptor(unit(0)) == 0).all()

    def test_order_does_not_matter(self, vocabulary: Vocabulary) -> None:
        """Keypoints have no order."""
        points = unit(100)
        a, b = vocabulary.global_descriptor(points), vocabulary.global_descriptor(points[::-1])
        assert np.allclose(a, b, atol=1e-4)

    def test_resemblance(self, vocabulary: Vocabulary) -> None:
        """Pictures that share most keypoints are more alike than those that share none."""
        points = unit(200)
        same = np.concatenate([points[:160], unit(40, seed=1)])
        a, b, c = (vocabulary.global_descriptor(p) for p in (points, same, unit(200, seed=2)))
        assert a @ b > 0.5 > a @ c

    def test_vlad_against_loops(self, vocabulary: Vocabulary) -> None:
        """VLAD: residuals to the four nearest centres, summed by cell, normalised, signed roots, normalised."""
        points = unit(60).astype(np.float64)
        centres = vocabulary.vlad_centroids.astype(np.float64)
        cells = np.zeros_like(centres)
        for point in points:
            for k in ((centres - point) ** 2).sum(1).argsort()[:ASSIGNED_CELLS]:
                cells[k] += point - centres[k]
        norms = np.linalg.norm(cells, axis=1, keepdims=True)
        cells = np.divide(cells, norms, out=np.zeros_like(cells), where=norms > 0)
        flat = (np.sign(cells) * np.sqrt(np.abs(cells))).ravel()
        assert np.allclose(vocabulary.vlad(unit(60)), flat / np.linalg.norm(flat), atol=1e-4)

    def test_weights(self, vocabulary: Vocabulary) -> None:
        """A patch of weight two is two patches, one of weight nought is none, and equal weights are no weights."""
        points, weights = unit(60), np.ones(60, np.float32)
        assert np.allclose(vocabulary.vlad(points, weights / 3), vocabulary.vlad(points), atol=1e-5)
        weights[:10], weights[10:20] = 2, 0
        counted = np.concatenate([points[:10], points[:10], points[20:]])
        assert np.allclose(vocabulary.vlad(points, weights), vocabulary.vlad(counted), atol=1e-5)


class TestFile:
    def test_round_trip(self, vocabulary: Vocabulary, tmp_path: Path) -> None:
        """What was saved is read again, as float32 of half precision."""
        save_vocabulary(tmp_path / "v.npz", vocabulary)
        again = load_vocabulary(tmp_path / "v.npz")
        assert len(again.centroids) == len(vocabulary.centroids)
        for a, b in zip(again.centroids, vocabulary.centroids, strict=True):
            assert np.allclose(a, b, rtol=2e-3, atol=1e-4)
        assert (again.medians == vocabulary.medians).all()
        assert (again.repeatability == vocabulary.repeatability).all()
        for name in ("vlad_centroids", "vlad_mean", "vlad_matrix"):
            assert np.allclose(getattr(again, name), getattr(vocabulary, name), rtol=2e-3, atol=1e-4)
            assert getattr(again, name).dtype == np.float32

    def test_saved_twice_is_the_same(self, vocabulary: Vocabulary, tmp_path: Path) -> None:
        """A loaded vocabulary loses nothing more."""
        save_vocabulary(tmp_path / "a.npz", vocabulary)
        first = load_vocabulary(tmp_path / "a.npz")
        save_vocabulary(tmp_path / "b.npz", first)
        points = unit(100)
        assert (load_vocabulary(tmp_path / "b.npz").words(points) == first.words(points)).all()

    @pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 cut off"])
    def test_unreadable(self, tmp_path: Path, content: bytes | None) -> None:
        """A file that is missing or something else is a ModelError that names it."""
        path = tmp_path / "v.npz"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ModelError, match=r"v\.npz"):
            load_vocabulary(path)

    def test_incomplete(self, tmp_path: Path) -> None:
        """So is one that lacks an array."""
        np.savez(tmp_path / "v.npz", medians=np.zeros(64))
        with pytest.raises(ModelError, match=r"v\.npz"):
            load_vocabulary(tmp_path / "v.npz")
