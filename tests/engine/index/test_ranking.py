"""What others know of an index: a ranking of picture numbers, scores, what is kept, counts and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine.catalogue import Catalogue, StoredFeatures
from engine.describe.query import Query
from engine.describe.records import KEYPOINTS, RECORD_BYTES, from_bytes
from engine.describe.vocabulary import Vocabulary
from engine.index import snapshot
from engine.index.embedded import SHARED, EmbeddedIndex
from engine.shortlist import votes
from engine.timing import Clock
from tests.support.made_index import OWN_SHARD, SETTINGS, TAIL, add, asked, fill, names, ranked, reopened
from tests.support.made_records import made, photographed

COUNT = 3 * TAIL + 2
"""Segments and a tail."""


@pytest.fixture
def gapped(catalogue: Catalogue, vocabulary: Vocabulary) -> Iterator[EmbeddedIndex]:
    """An index of seed.10 to seed.35 that was built when pictures before and among them had gone: their places in it
    are not their numbers."""
    writer = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    for seed in range(10 + COUNT):
        add(writer, seed)
    for seed in (*range(10), 17, 30):
        catalogue.remove_picture("one", f"seed.{seed}")
    writer.close()
    opened = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    opened.refresh()
    opened.wait_for_builds()
    yield opened
    opened.close()


def number_of(index: EmbeddedIndex, seed: int, channel: str = "one") -> int:
    return index.catalogue.picture(channel, f"seed.{seed}").id


def stored_of(index: EmbeddedIndex, picture: int) -> StoredFeatures:
    """What the catalogue holds of a picture."""
    _, _, _, keypoints, vector = index.catalogue.features([picture])[0]
    return StoredFeatures(keypoints=keypoints, vector=vector)


class TestRank:
    @pytest.mark.parametrize("seed", [10, 20, 35])
    def test_picture_numbers_best_first(self, gapped: EmbeddedIndex, seed: int) -> None:
        """The picture of the photo leads, scores fall, each picture comes once, all by the catalogue's numbers."""
        found = ranked(gapped, seed)
        assert found.pictures.dtype == np.int64
        assert found.scores.dtype == np.float32
        assert found.pictures[0] == number_of(gapped, seed)
        assert len(found.pictures) == len(found.scores) == len(set(found.pictures.tolist())) > SETTINGS.verified
        assert (np.diff(found.scores) <= 0).all()
        assert found.scores[0] > 5 * found.scores[1]
        assert set(found.pictures.tolist()) <= {p.id for p in gapped.catalogue.all_pictures()}

    def test_records_of_the_best(self, gapped: EmbeddedIndex) -> None:
        """As many as are verified come with their keypoints, in the order of the ranking."""
        found = ranked(gapped, 20)
        assert len(found.records) == SETTINGS.verified
        for picture, rows in zip(found.pictures.tolist(), found.records, strict=False):
            assert rows.astype("<u8").tobytes() == stored_of(gapped, picture).keypoints

    def test_fewer_than_are_verified(self, index: EmbeddedIndex) -> None:
        """Of fewer all."""
        fill(index, range(3))
        found = ranked(index, 1)
        assert len(found.pictures) == len(found.records) == 3

    def test_equal_scores(self, index: EmbeddedIndex) -> None:
        """Of copies the one that was added first stands first, whatever the order of the channels."""
        fill(index, range(TAIL))
        older = number_of(index, 3)
        newer = [add(index, 3, channel).id for channel in ("two", "three")]
        fill(index, range(40, 40 + TAIL))
        for channels in (("one", "two", "three"), ("three", "two", "one")):
            found = ranked(index, 3, *channels)
            assert found.pictures[:3].tolist() == [older, *newer]
            assert found.scores[0] == found.scores[1] == found.scores[2] > 0

    def test_no_channels(self, index: EmbeddedIndex) -> None:
        """In no channel, and in an empty one, nothing is ranked."""
        fill(index, range(2))
        index.catalogue.add_channel("empty")
        query, _ = asked(index, 1)
        for numbers in ([], index.catalogue.channel_numbers(["empty"])):
            found = index.rank(query, numbers)
            assert (len(found.pictures), len(found.scores), found.records) == (0, 0, ())

    def test_a_photo_without_keypoints(self, index: EmbeddedIndex) -> None:
        """It fits nothing: scores of 0, and no error."""
        fill(index, range(2 * TAIL + 1))
        nothing = Query(photographed(made(index.vocabulary, 1, count=0), 1, strangers=0), index.vocabulary)
        assert not index.rank(nothing, index.catalogue.channel_numbers(["one"])).scores.any()

    def test_everything(self, gapped: EmbeddedIndex) -> None:
        """As a ceiling, all pictures are ranked, whatever the lists say, but for hidden ones."""
        gapped.catalogue.update_picture("one", "seed.12", active=False)
        query, numbers = asked(gapped, 20)
        found = gapped.rank(query, numbers, everything=True)
        assert sorted(found.pictures.tolist()) == [p.id for p in gapped.catalogue.all_pictures() if p.active]
        listed = gapped.rank(query, numbers)
        scores = dict(zip(found.pictures.tolist(), found.scores.tolist(), strict=True))
        assert len(listed.pictures) < len(scores)
        assert [scores[number] for number in listed.pictures.tolist()] == listed.scores.tolist()

    def test_deeper(self, catalogue: Catalogue, vocabulary: Vocabulary) -> None:
        """Lists are read several times as deep as the settings say."""
        index = EmbeddedIndex(catalogue, vocabulary, replace(SETTINGS, global_depth=2, use_votes=False))
        fill(index, range(2 * TAIL))
        assert index.describe()[SHARED]["tail"] == 0
        query, numbers = asked(index, 3)
        assert [len(index.rank(query, numbers, deeper=deeper).pictures) for deeper in (1, 2, 4)] == [2, 4, 8]
        index.close()

    def test_clock(self, index: EmbeddedIndex) -> None:
        """The two stages are counted by their names."""
        fill(index, range(2))
        clock = Clock()
        index.rank(*asked(index, 1), clock=clock)
        assert list(clock.milliseconds) == ["shortlist", "rank"]


class TestScore:
    def test_as_ranked(self, gapped: EmbeddedIndex) -> None:
        """The scores of the ranking, in the order in which pictures are asked for."""
        query, numbers = asked(gapped, 20)
        found = gapped.rank(query, numbers)
        order = np.random.default_rng(0).permutation(len(found.pictures))
        assert gapped.score(query, found.pictures[order]).tolist() == found.scores[order].tolist()

    @pytest.mark.parametrize("seed", [10, 11, 35])
    def test_unknown_numbers(self, gapped: EmbeddedIndex, seed: int) -> None:
        """Numbers that no picture here has score 0, below, between and beyond the others; so they do where the photo
        shows the first, the second or the last picture, which wrong places would stand for."""
        query, _ = asked(gapped, seed)
        known, between = number_of(gapped, seed), number_of(gapped, 29) + 1
        scores = gapped.score(query, np.array([1, known, between, 10**9, 0, -5]))
        assert scores.dtype == np.float32
        assert np.flatnonzero(scores).tolist() == [1]

    def test_none(self, index: EmbeddedIndex) -> None:
        """Nothing asked, nothing scored; in an empty index all numbers are unknown."""
        index.catalogue.add_channel("one")
        query, _ = asked(index, 1)
        assert index.score(query, np.zeros(0, np.int64)).shape == (0,)
        assert index.score(query, np.array([1, 2])).tolist() == [0, 0]


class TestExtract:
    def test_what_was_stored(self, gapped: EmbeddedIndex) -> None:
        """Records, filled up with zeros, their keypoints, and vectors, in the order asked."""
        pictures = np.array([number_of(gapped, seed) for seed in (31, 10, 18)])
        records, keypoints, vectors = gapped.extract(pictures)
        assert (records.shape, records.dtype) == ((3, KEYPOINTS, 2), np.uint64)
        assert keypoints.tolist() == [40, 40, 40]
        for picture, record, vector in zip(pictures.tolist(), records, vectors, strict=True):
            expected = stored_of(gapped, picture)
            assert (record[:40] == from_bytes(expected.keypoints)).all()
            assert not record[40:].any()
            assert vector.tobytes() == expected.vector

    def test_copies(self, gapped: EmbeddedIndex) -> None:
        """Who changes them changes nothing here, whether a picture lies on disk or in memory."""
        snapshot.save(gapped, gapped.catalogue.folder)
        add(gapped, 99)
        gapped.refresh()
        pictures = np.array([number_of(gapped, 10), number_of(gapped, 99)])
        first = [array.copy() for array in gapped.extract(pictures)]
        for array in gapped.extract(pictures):
            array[:] = 0
        assert all((a == b).all() for a, b in zip(first, gapped.extract(pictures), strict=True))

    def test_none(self, index: EmbeddedIndex) -> None:
        """No pictures: arrays of the usual shapes."""
        fill(index, range(1))
        shapes = [array.shape for array in index.extract(np.zeros(0, np.int64))]
        assert shapes == [(0, KEYPOINTS, 2), (0,), (0, index.vocabulary.global_dimension)]


class TestCounts:
    def test_empty(self, index: EmbeddedIndex) -> None:
        """An empty index holds nothing, in the shard that small channels share."""
        assert (index.pictures, index.unsaved) == (0, 0)
        assert index.describe() == {SHARED: {"segments": [], "tail": 0}}
        assert index.memory() == {"records": 0, "votes": 0, "global": 0}

    def test_pictures(self, index: EmbeddedIndex) -> None:
        """Switched-off pictures count, removed ones do not."""
        fill(index, range(5))
        fill(index, range(10, 12), "two")
        index.catalogue.update_picture("one", "seed.1", active=False)
        index.catalogue.remove_picture("one", "seed.2")
        index.refresh()
        assert index.pictures == 6 == sum(index.catalogue.counts().values())

    def test_unsaved(self, index: EmbeddedIndex) -> None:
        """What is in memory alone: all that came after the last save."""
        fill(index, range(5))
        assert index.unsaved == 5
        snapshot.save(index, index.catalogue.folder)
        assert index.unsaved == 0
        fill(index, range(5, 8))
        again = reopened(index.catalogue, index.vocabulary)
        again.refresh()
        assert index.unsaved == again.unsaved == 3
        again.close()

    def test_shards(self, index: EmbeddedIndex) -> None:
        """Each shard tells of its segments and its tail, which together hold its pictures."""
        fill(index, range(OWN_SHARD + TAIL))
        fill(index, range(100, 100 + TAIL + 3), "two")
        told = index.describe()
        assert set(told) == {SHARED, *index.catalogue.channel_numbers(["one"])}
        for number, count in ((SHARED, TAIL + 3), (*index.catalogue.channel_numbers(["one"]), OWN_SHARD + TAIL)):
            shard = told[number]
            assert set(shard) == {"segments", "tail"}
            assert sum(segment["pictures"] for segment in shard["segments"]) + shard["tail"] == count
            assert all(segment["global"] == "exact" for segment in shard["segments"])
            assert all(segment["votes"] == vars(votes.SMALL) for segment in shard["segments"])

    def test_memory(self, index: EmbeddedIndex) -> None:
        """A record for each picture, and what the lists of the segments take."""
        fill(index, range(2 * TAIL))
        told = index.memory()
        assert told["records"] == 2 * TAIL * RECORD_BYTES
        assert told["votes"] > 0
        assert told["global"] >= 2 * TAIL * index.vocabulary.global_dimension


class TestShortlist:
    def test_picture_numbers(self, gapped: EmbeddedIndex) -> None:
        """Both lists and what is always ranked give the catalogue's numbers; the photo's picture leads the lists."""
        found = gapped.shortlist(*asked(gapped, 12), votes_depth=5, global_depth=3)
        assert len(found.by_global) == 3
        assert 1 <= len(found.votes) <= 5
        assert found.votes[0] == found.by_global[0] == number_of(gapped, 12)
        known = {p.id for p in gapped.catalogue.all_pictures()}
        assert {*found.votes.tolist(), *found.by_global.tolist(), *found.always.tolist()} <= known

    def test_small_channels_are_searched_too(self, catalogue: Catalogue, vocabulary: Vocabulary) -> None:
        """Though a search would rank a small channel whole: the lists are to show how good they are."""
        index = EmbeddedIndex(catalogue, vocabulary, replace(SETTINGS, exhaustive_up_to=1000))
        fill(index, range(2 * TAIL))
        query, numbers = asked(index, 3)
        assert len(index.rank(query, numbers).pictures) == 2 * TAIL
        found = index.shortlist(query, numbers, votes_depth=0, global_depth=4)
        assert names(index, found.by_global)[0] == "one/seed.3"
        assert (len(found.votes), len(found.by_global), len(found.always)) == (0, 4, 0)
        index.close()
