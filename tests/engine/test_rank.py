"""Ranking by geometry against a plain oracle."""

from __future__ import annotations

import numpy as np
import pytest

from engine.describe.features import describe_photo, describe_picture, pack_features
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import unpack
from engine.describe.vocabulary import Vocabulary
from engine.rank import (
    HAMMING_LIMIT,
    MATCHES_AT_MOST,
    WORD_HALF_BITS,
    WORDS_PER_KEYPOINT,
    PhotoIndex,
    index_photo,
    rank,
)
from tests.support.drawn import photo_of, poster
from tests.support.made_records import Made, made, photographed, table_of


def indexed(photo: Made, vocabulary: Vocabulary) -> PhotoIndex:
    return index_photo(Query(photo, vocabulary))


def oracle(
    xy: np.ndarray,
    scale: np.ndarray,
    angle: np.ndarray,
    words: np.ndarray,
    signatures: np.ndarray,
    rows: np.ndarray,
    *,
    slack: float = 1.0,
) -> float:
    """The score of one picture as the docstrings define it: nearest signature among the photo's keypoints in
    the same word, then the best similarity transform of a single match. slack scales the three limits."""
    p_xy, p_scale, p_angle, p_words, p_signatures = unpack(rows)
    drop = 10 - WORD_HALF_BITS
    cells = (p_words >> 10 >> drop << WORD_HALF_BITS) | ((p_words & 1023) >> drop)
    matches = []
    for i in range(len(rows)):
        distances = [
            (int(s ^ p_signatures[i]).bit_count(), n)
            for n, (s, looked) in enumerate(zip(signatures, words, strict=True))
            if cells[i] in looked
        ]
        if distances and min(distances)[0] <= HAMMING_LIMIT:
            matches.append((min(distances)[1], i, min(distances)[0]))
    matches = matches[:MATCHES_AT_MOST]
    best = 0.0
    for n, i, _ in matches:
        size, turn = scale[n] / p_scale[i], angle[n] - p_angle[i]
        matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        total = 0.0
        for m, j, h in matches:
            bend = (angle[m] - p_angle[j] - turn + np.pi) % (2 * np.pi) - np.pi
            off = np.linalg.norm(xy[n] + matrix @ (p_xy[j] - p_xy[i]) - xy[m])
            growth = abs(np.log(scale[m] / p_scale[j] / size))
            if growth <= 0.47 * slack and abs(bend) <= 0.6 * slack and off < 0.08 * 480 * size * slack:
                total += np.exp(-((h / 14) ** 2))
        best = max(best, total)
    return best


def expected(photo: Made, vocabulary: Vocabulary, rows: np.ndarray, *, slack: float = 1.0) -> float:
    words = vocabulary.nearest_words(photo.descriptors, half_bits=WORD_HALF_BITS, count=WORDS_PER_KEYPOINT)
    points, signatures = photo.keypoints, vocabulary.signatures(photo.descriptors)
    return oracle(points.xy, points.scale, points.angle, words, signatures, rows, slack=slack)


def scored(index: PhotoIndex, pictures: list[np.ndarray]) -> np.ndarray:
    records, counts = table_of(pictures)
    return rank(index, records, records[:0], np.arange(len(pictures)), counts)


class TestRank:
    def test_against_the_oracle(self, vocabulary: Vocabulary) -> None:
        """Scores are those of the definition, for the right picture and for strangers, up to rounding at the
        limits."""
        pictures = [made(vocabulary, seed, count=60) for seed in range(8)]
        for seed in range(4):
            photo = photographed(pictures[seed], seed)
            scores = scored(indexed(photo, vocabulary), [p.rows for p in pictures])
            for score, picture in zip(scores, pictures, strict=True):
                low, high = (expected(photo, vocabulary, picture.rows, slack=s) for s in (0.998, 1.002))
                assert low - 1e-3 <= score <= high + 1e-3
            assert scores.argmax() == seed
            assert scores[seed] > 10 * np.delete(scores, seed).max()

    def test_real_records(self, patch_model: PatchModel) -> None:
        """Likewise on keypoints of a drawn poster and of its photo."""
        picture = describe_picture(poster(4), patch_model)
        rows = pack_features(picture, patch_model)[:150]
        other = pack_features(describe_picture(poster(5), patch_model), patch_model)[:150]
        photo = describe_photo(photo_of(poster(4), seed=4).image, patch_model)
        seen = Made(photo.descriptors, rows, photo.keypoints)
        scores = scored(indexed(seen, patch_model.vocabulary), [rows, other])
        for score, record in zip(scores, (rows, other), strict=True):
            low, high = (expected(seen, patch_model.vocabulary, record, slack=s) for s in (0.998, 1.002))
            assert low - 1e-2 <= score <= high + 1e-2
        assert scores[0] > 5 * scores[1]

    def test_base_and_grown(self, vocabulary: Vocabulary) -> None:
        """It does not matter where records end on disk and go on in memory."""
        pictures = [made(vocabulary, seed).rows for seed in range(9)]
        records, counts = table_of(pictures)
        index, slots = indexed(photographed(made(vocabulary, 3), 0), vocabulary), np.array([8, 0, 3, 4, 7, 3])
        whole = rank(index, records, records[:0], slots, counts)
        for border in (0, 1, 4, 8):
            assert (rank(index, records[:border], records[border:], slots, counts) == whole).all()
        assert (rank(index, records[:0], records, slots, counts) == whole).all()
        assert whole[2] == whole[5] > 0

    def test_only_counted_rows(self, vocabulary: Vocabulary) -> None:
        """What stands behind a picture's last keypoint is no keypoint."""
        picture = made(vocabulary, 1, count=40)
        index = indexed(photographed(picture, 1), vocabulary)
        records, _ = table_of([picture.rows])
        scores = [rank(index, records, records[:0], np.zeros(1, int), np.array([n], np.int32))[0] for n in (0, 20, 40)]
        assert 0 == scores[0] < scores[1] < scores[2]

    def test_no_pictures(self, vocabulary: Vocabulary) -> None:
        """No slots, no scores."""
        records, counts = table_of([made(vocabulary, 0).rows])
        index = indexed(made(vocabulary, 0), vocabulary)
        assert rank(index, records, records[:0], np.zeros(0, np.int64), counts).shape == (0,)

    def test_no_keypoints(self, vocabulary: Vocabulary) -> None:
        """A photo without keypoints, and a picture without any, score 0."""
        nothing, something = made(vocabulary, 0, count=0), made(vocabulary, 1)
        assert scored(indexed(nothing, vocabulary), [something.rows]).tolist() == [0]
        assert scored(indexed(something, vocabulary), [nothing.rows]).tolist() == [0]

    def test_identical(self, vocabulary: Vocabulary) -> None:
        """A picture scores a full vote for nearly each keypoint against itself: all but the few that lie between
        words."""
        picture = made(vocabulary, 5, count=100)
        assert scored(indexed(picture, vocabulary), [picture.rows])[0] == pytest.approx(94, abs=6)

    def test_many_matches_are_bounded(self, vocabulary: Vocabulary) -> None:
        """Of 400 matches 192 are looked at: time is bounded."""
        picture = made(vocabulary, 6, count=400)
        assert scored(indexed(picture, vocabulary), [picture.rows])[0] == pytest.approx(MATCHES_AT_MOST, abs=2)

    def test_same_every_time(self, vocabulary: Vocabulary) -> None:
        """The same photo gives the same scores to the bit."""
        index = indexed(photographed(made(vocabulary, 2), 2), vocabulary)
        pictures = [made(vocabulary, seed).rows for seed in range(6)]
        assert (scored(index, pictures) == scored(index, pictures)).all()


class TestIndexPhoto:
    def test_rows_by_word(self, vocabulary: Vocabulary) -> None:
        """Each keypoint stands under each of its words, and nowhere else."""
        photo = made(vocabulary, 0, count=50)
        index = indexed(photo, vocabulary)
        words = vocabulary.nearest_words(photo.descriptors, half_bits=WORD_HALF_BITS, count=WORDS_PER_KEYPOINT)
        assert index.starts[0] == 0
        assert index.starts[-1] == len(index.rows) == 50 * WORDS_PER_KEYPOINT
        for word in np.unique(words):
            listed = index.rows[index.starts[word] : index.starts[word + 1]]
            assert sorted(listed.tolist()) == np.flatnonzero((words == word).any(1)).tolist()
        assert (index.signatures == vocabulary.signatures(photo.descriptors)[index.rows]).all()
