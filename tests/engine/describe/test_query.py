"""What the stages derive from a described photo."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.describe.features import LocalFeatures
from engine.describe.keypoints import Keypoints
from engine.describe.query import Query
from engine.describe.signatures import unpack_signatures
from engine.describe.vocabulary import (
    Vocabulary,
)


def unit(count: int, seed: int = 0, dimension: int = 64) -> np.ndarray:
    points = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def described(count: int, seed: int = 0) -> LocalFeatures:
    """A photo of that many keypoints all over it."""
    xy = np.random.default_rng(seed).uniform(0, [640, 480], (count, 2)).astype(np.float32)
    one = np.ones(count, np.float32)
    return LocalFeatures(Keypoints(xy, one, one, one), unit(count, seed), (640, 480))


COUNTS = (0, 1, 300)


class TestDerived:
    @pytest.mark.parametrize("count", COUNTS)
    def test_signatures(self, vocabulary: Vocabulary, count: int) -> None:
        """The vocabulary's own."""
        query = Query(described(count), vocabulary)
        assert query.signatures.dtype == np.uint64
        assert query.signatures.tolist() == vocabulary.signatures(query.features.descriptors).tolist()

    @pytest.mark.parametrize("count", COUNTS)
    @pytest.mark.parametrize(("half_bits", "number"), [(5, 1), (6, 6), (10, 3)])
    def test_words(self, vocabulary: Vocabulary, count: int, half_bits: int, number: int) -> None:
        """The vocabulary's own, nearest first, at any level."""
        query = Query(described(count), vocabulary)
        expected = vocabulary.nearest_words(query.features.descriptors, half_bits=half_bits, count=number)
        assert query.words(half_bits=half_bits, count=number).shape == (count, number)
        assert (query.words(half_bits=half_bits, count=number) == expected).all()

    @pytest.mark.parametrize("count", COUNTS)
    def test_centred(self, vocabulary: Vocabulary, count: int) -> None:
        """Unit vectors of the descriptors less their medians, of which the signatures are the signs."""
        query = Query(described(count), vocabulary)
        expected = query.features.descriptors.astype(np.float64) - vocabulary.medians
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        assert query.centred.dtype == np.float32
        assert np.allclose(query.centred, expected, atol=1e-6)
        assert (np.where(query.centred > 0, 1, -1) == unpack_signatures(query.signatures)).all()

    @pytest.mark.parametrize("count", COUNTS)
    def test_global_vector(self, vocabulary: Vocabulary, count: int) -> None:
        """The vocabulary's own of the whole photo, alone where no windows are looked at."""
        query = Query(described(count), vocabulary)
        assert (query.global_vectors == vocabulary.global_descriptor(query.features.descriptors)[None]).all()

    def test_a_keypoint_at_the_medians(self, vocabulary: Vocabulary) -> None:
        """A descriptor that equals the medians has no direction: zeros, not NaN."""
        photo = dataclasses.replace(described(1), descriptors=vocabulary.medians[None].astype(np.float32))
        assert (Query(photo, vocabulary).centred == 0).all()


class TestOnce:
    """Stages ask again and again, the vocabulary computes once."""

    @pytest.fixture
    def counted(self, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
        """How often each of the vocabulary's computations ran."""
        ran: Counter[str] = Counter()

        def watched(name: str) -> Callable[..., Any]:
            compute = getattr(Vocabulary, name)

            def counting(self: Vocabulary, *arguments: Any, **named: Any) -> Any:
                ran[name] += 1
                return compute(self, *arguments, **named)

            return counting

        for name in ("signatures", "nearest_words", "global_descriptor", "vlad", "project"):
            monkeypatch.setattr(Vocabulary, name, watched(name))
        return ran

    def test_words_of_one_kind(self, vocabulary: Vocabulary, counted: Counter[str]) -> None:
        """For one pair of a level and a count words are computed once, for another pair anew."""
        query = Query(described(50), vocabulary)
        for _ in range(3):
            assert query.words(half_bits=6, count=6) is query.words(half_bits=6, count=6)
        assert counted == {"nearest_words": 1}
        for half_bits, count in ((6, 5), (7, 6)):
            for _ in range(2):
                assert query.words(half_bits=half_bits, count=count).shape == (50, count)
        assert counted == {"nearest_words": 3}

    def test_nothing_before_it_is_asked_for(self, vocabulary: Vocabulary, counted: Counter[str]) -> None:
        """A stage that is left out costs nothing."""
        Query(described(50), vocabulary, windows=True)
        assert counted == {}

    @pytest.mark.parametrize("windows", [False, True])
    def test_the_rest(self, vocabulary: Vocabulary, counted: Counter[str], windows: bool) -> None:
        """Signatures and global vectors likewise; those of all windows take one multiplication together."""
        query = Query(described(300), vocabulary, windows=windows)
        for _ in range(3):
            assert len(query.signatures) == len(query.centred) == 300
            assert len(query.global_vectors) == (10 if windows else 1)
        assert counted["signatures"] == 1
        assert counted["project"] == 1
        assert counted["vlad"] == len(query.global_vectors)


class TestGlobalVectors:
    def test_of_windows(self, vocabulary: Vocabulary) -> None:
        """A photo's queries are its own descriptor and those of the windows that hold enough keypoints."""
        rng = np.random.default_rng(0)
        xy = np.concatenate([rng.uniform(0, [200, 100], (60, 2)), rng.uniform([600, 440], [640, 480], (30, 2))])
        points, one = unit(90), np.ones(90, np.float32)
        features = LocalFeatures(Keypoints(xy.astype(np.float32), one, one, one), points, (640, 480))
        whole = vocabulary.global_descriptor(points)
        assert (Query(features, vocabulary).global_vectors == whole).all()
        found = Query(features, vocabulary, windows=True, min_keypoints=25).global_vectors
        # The sixty lie in the windows at the top left, few of them in those further in; the thirty in the last one.
        assert np.allclose(found[0], whole, atol=1e-5)
        assert np.allclose(found[1], vocabulary.global_descriptor(points[:60]), atol=1e-5)
        assert np.allclose(found[-1], vocabulary.global_descriptor(points[60:]), atol=1e-5)
        assert 3 <= len(found) < 10
        none = LocalFeatures(features.keypoints.take(np.arange(0)), points[:0], (640, 480))
        assert (Query(none, vocabulary, windows=True, min_keypoints=25).global_vectors == 0).all()
