"""The inverted file against counting votes by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.describe.records import unpack
from engine.describe.vocabulary import Vocabulary
from engine.shortlist.votes import (
    HUGE,
    LARGE,
    MEDIUM,
    SMALL,
    Segment,
    VoteSettings,
    build_segment,
    load_segment,
    save_segment,
    search,
    settings_for,
)
from tests.support.made_records import made, photographed, table_of

FEW = VoteSettings(keypoints=30, half_bits=5, words=3, hamming=20)
"""Coarse words and few voters, so that every rule is met by a small gallery."""


def coarse(words: np.ndarray, half_bits: int) -> np.ndarray:
    drop = 10 - half_bits
    return (words >> 10 >> drop << half_bits) | ((words & 1023) >> drop)


def oracle(
    settings: VoteSettings, slots: np.ndarray, pictures: list[np.ndarray], words: np.ndarray, signatures: np.ndarray
) -> dict[int, float]:
    """Scores by slot. A keypoint of the photo votes once for each picture: with the first near posting, word
    after word."""
    postings: dict[int, list[tuple[int, int]]] = {}
    for slot in slots.tolist():
        _, _, _, found, signed = unpack(pictures[slot][: settings.keypoints])
        for word, signature in zip(coarse(found, settings.half_bits).tolist(), signed.tolist(), strict=True):
            postings.setdefault(word, []).append((slot, signature))
    total = len(slots) * settings.keypoints
    scores: dict[int, float] = {}
    for looked, signature in zip(words.tolist(), signatures.tolist(), strict=True):
        voted = set()
        for word in looked:
            listed = postings.get(word, [])
            for slot, posted in listed:
                distance = (signature ^ posted).bit_count()
                if distance <= settings.hamming and slot not in voted:
                    voted.add(slot)
                    weight = np.log(total / len(listed)) ** 2 * np.exp(-((distance / 14) ** 2))
                    scores[slot] = scores.get(slot, 0.0) + weight
    return {s: v / min(max(len(pictures[s]), 1), settings.keypoints) ** 0.5 for s, v in scores.items()}


@pytest.fixture(scope="module")
def pictures(vocabulary: Vocabulary) -> list[np.ndarray]:
    """Forty pictures of 5 to 83 keypoints."""
    return [made(vocabulary, seed, count=5 + 2 * seed).rows for seed in range(40)]


def asked(vocabulary: Vocabulary, settings: VoteSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Words and signatures of a photo of picture `seed`."""
    photo = photographed(made(vocabulary, seed, count=5 + 2 * seed), seed)
    words = vocabulary.nearest_words(photo.descriptors, half_bits=settings.half_bits, count=settings.words)
    return words, vocabulary.signatures(photo.descriptors)


def built(settings: VoteSettings, pictures: list[np.ndarray], slots: np.ndarray) -> Segment:
    records, counts = table_of(pictures)
    return build_segment(settings, slots, records, records[:0], counts)


class TestSearch:
    @pytest.mark.parametrize("settings", [FEW, SMALL], ids=["coarse", "small preset"])
    def test_against_the_oracle(
        self, vocabulary: Vocabulary, pictures: list[np.ndarray], settings: VoteSettings
    ) -> None:
        """Slots and scores are those of counting by hand, best first."""
        slots = np.arange(40)
        segment = built(settings, pictures, slots)
        for seed in (3, 17, 39):
            words, signatures = asked(vocabulary, settings, seed)
            found, scores = search(segment, words, signatures, np.ones(40, np.uint8), depth=40)
            expected = oracle(settings, slots, pictures, words, signatures)
            assert set(found.tolist()) == set(expected)
            assert np.allclose(scores, [expected[s] for s in found.tolist()], rtol=1e-3)
            assert (np.diff(scores) <= 0).all()
            assert found[0] == seed

    def test_gaps(self, vocabulary: Vocabulary, pictures: list[np.ndarray]) -> None:
        """A segment may cover any ascending slots; the others do not exist for it."""
        slots = np.array([2, 3, 11, 12, 30])
        segment = built(FEW, pictures, slots)
        assert (segment.first, segment.last, segment.pictures) == (2, 31, 5)
        words, signatures = asked(vocabulary, FEW, 11)
        found, scores = search(segment, words, signatures, np.ones(40, np.uint8), depth=40)
        expected = oracle(FEW, slots, pictures, words, signatures)
        assert set(found.tolist()) == set(expected)
        assert np.allclose(scores, [expected[s] for s in found.tolist()], rtol=1e-3)

    def test_hidden(self, vocabulary: Vocabulary, pictures: list[np.ndarray]) -> None:
        """What is hidden is not found, and nothing else changes its score."""
        segment = built(FEW, pictures, np.arange(40))
        words, signatures = asked(vocabulary, FEW, 20)
        allowed = np.ones(40, np.uint8)
        everything = dict(
            zip(*(a.tolist() for a in search(segment, words, signatures, allowed, depth=40)), strict=True)
        )
        allowed[[20, 5, 39]] = 0
        found, scores = search(segment, words, signatures, allowed, depth=40)
        assert dict(zip(found.tolist(), scores.tolist(), strict=True)) == {
            s: v for s, v in everything.items() if s not in (20, 5, 39)
        }
        assert len(search(segment, words, signatures, np.zeros(40, np.uint8), depth=40)[0]) == 0

    @pytest.mark.parametrize("depth", [1, 2, 7])
    def test_depth(self, vocabulary: Vocabulary, pictures: list[np.ndarray], depth: int) -> None:
        """The best `depth` are given."""
        segment = built(FEW, pictures, np.arange(40))
        words, signatures = asked(vocabulary, FEW, 30)
        whole = search(segment, words, signatures, np.ones(40, np.uint8), depth=40)
        part = search(segment, words, signatures, np.ones(40, np.uint8), depth=depth)
        assert part[1].tolist() == whole[1][:depth].tolist()

    def test_parallel(self, vocabulary: Vocabulary) -> None:
        """Two threads that share the slots find what one finds."""
        rng = np.random.default_rng(0)
        rows = np.concatenate([made(vocabulary, seed, count=100).rows for seed in range(50)])
        records = rows[rng.integers(0, len(rows), (24_000, 6))]
        counts = np.full(24_000, 6, np.int32)
        segment = build_segment(FEW, np.arange(24_000), records, records[:0], counts)
        words, signatures = asked(vocabulary, FEW, 20)
        allowed = (rng.random(24_000) < 0.9).astype(np.uint8)
        one = search(segment, words, signatures, allowed, depth=500)
        with ThreadPoolExecutor(2) as pool:
            two = search(segment, words, signatures, allowed, depth=500, pool=pool)
        assert len(one[0]) == 500
        assert (one[1] == two[1]).all()
        clear = one[1] > one[1][-1]
        assert (one[0][clear] == two[0][clear]).all()

    def test_empty_segment(self, vocabulary: Vocabulary, pictures: list[np.ndarray]) -> None:
        """A segment without pictures finds nothing."""
        segment = built(FEW, pictures, np.zeros(0, np.int64))
        words, signatures = asked(vocabulary, FEW, 3)
        found, scores = search(segment, words, signatures, np.ones(40, np.uint8), depth=10)
        assert (len(found), len(scores), segment.pictures) == (0, 0, 0)

    def test_no_keypoints(self, vocabulary: Vocabulary, pictures: list[np.ndarray]) -> None:
        """A photo without keypoints finds nothing; a picture without any is no trouble."""
        segment = built(FEW, [*pictures[:3], np.zeros((0, 2), np.uint64)], np.arange(4))
        none = vocabulary.nearest_words(np.zeros((0, 64), np.float32), half_bits=5, count=3)
        assert len(search(segment, none, np.zeros(0, np.uint64), np.ones(4, np.uint8), depth=10)[0]) == 0
        words, signatures = asked(vocabulary, FEW, 2)
        assert 3 not in search(segment, words, signatures, np.ones(4, np.uint8), depth=10)[0]


class TestSegment:
    def test_base_and_grown(self, pictures: list[np.ndarray]) -> None:
        """It does not matter where records end on disk and go on in memory."""
        records, counts = table_of(pictures)
        whole = build_segment(FEW, np.arange(40), records, records[:0], counts)
        split = build_segment(FEW, np.arange(40), records[:13], records[13:], counts)
        for name in ("offsets", "places", "signatures", "norms"):
            assert (getattr(whole, name) == getattr(split, name)).all()

    def test_only_the_first_keypoints_vote(self, pictures: list[np.ndarray]) -> None:
        """There are as many postings as keypoints that may vote."""
        segment = built(FEW, pictures, np.arange(40))
        assert len(segment.places) == sum(min(len(p), 30) for p in pictures)
        assert segment.offsets[-1] == len(segment.places)

    def test_sorted_by_slot(self, pictures: list[np.ndarray]) -> None:
        """Within a word the postings stand by slot, which the parallel search needs."""
        segment = built(FEW, pictures, np.arange(40))
        for start, end in zip(segment.offsets[:-1], segment.offsets[1:], strict=True):
            assert (np.diff(segment.places[start:end].astype(int)) >= 0).all()

    def test_file(self, vocabulary: Vocabulary, pictures: list[np.ndarray], tmp_path: Path) -> None:
        """A saved segment finds the same."""
        segment = built(FEW, pictures, np.arange(40))
        save_segment(segment, tmp_path / "s")
        again = load_segment(tmp_path / "s", FEW, segment.first, segment.last, segment.pictures)
        words, signatures = asked(vocabulary, FEW, 9)
        for a, b in zip(
            search(segment, words, signatures, np.ones(40, np.uint8), depth=40),
            search(again, words, signatures, np.ones(40, np.uint8), depth=40),
            strict=True,
        ):
            assert (a == b).all()
        assert again.bytes == segment.bytes

    @pytest.mark.parametrize(
        ("count", "preset"), [(0, SMALL), (50_000, SMALL), (50_001, MEDIUM), (10**6, LARGE), (10**7, HUGE)]
    )
    def test_presets(self, count: int, preset: VoteSettings) -> None:
        """Larger segments let fewer keypoints vote and look into finer words."""
        assert settings_for(count) == preset
        assert preset.bytes_per_picture <= 12 * 400
