"""Segments and shards: built while searches go on, and what lies in them is found."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from engine.catalogue import Catalogue
from engine.describe.vocabulary import Vocabulary
from engine.index.embedded import SHARED, EmbeddedIndex
from tests.support.made_index import (
    OWN_SHARD,
    SETTINGS,
    TAIL,
    add,
    fill,
    finds,
    names,
    shortlist,
)


class TestSegments:
    def test_both_lists_find(self, index: EmbeddedIndex) -> None:
        """What lies in a segment is found by votes first of all, and by the global descriptor too."""
        fill(index, range(3 * TAIL))
        index.shards[SHARED].tail.clear()
        for seed in range(0, 3 * TAIL, 5):
            found = shortlist(index, seed)
            assert names(index, found.votes)[0] == f"one/seed.{seed}"
            assert f"one/seed.{seed}" in names(index, found.by_global)
            assert len(found.always) == 0

    @pytest.mark.parametrize("off", ["use_votes", "use_global"])
    def test_each_list_can_be_switched_off(self, index: EmbeddedIndex, off: str) -> None:
        """The other one finds alone."""
        fill(index, range(2 * TAIL))
        alone = EmbeddedIndex(index.catalogue, index.vocabulary, replace(SETTINGS, **{off: False}))
        alone.refresh()
        alone.wait_for_builds()
        found = shortlist(alone, 3)
        assert len(found.votes if off == "use_votes" else found.by_global) == 0
        assert "one/seed.3" in finds(alone, 3)
        alone.close()

    def test_made_of_tails(self, index: EmbeddedIndex) -> None:
        """Every picture lies in one segment or the tail, and there are few segments."""
        fill(index, range(11 * TAIL))
        shards = index.shards.values()
        slots = [s for shard in shards for segment in shard.segments for s in segment.slots.tolist()]
        slots += [s for shard in shards for s in shard.tail]
        alive = np.flatnonzero(index.table.alive[: index.table.count])
        assert sorted(slots) == alive.tolist()
        assert all(len(shard.tail) < TAIL for shard in shards)
        assert all(len(shard.segments) <= 4 for shard in shards)

    def test_removed_pictures_are_left_out_of_new_segments(self, index: EmbeddedIndex) -> None:
        """A merge drops what was removed."""
        fill(index, range(TAIL))
        for seed in range(8):
            index.catalogue.remove_picture("one", f"seed.{seed}")
        fill(index, range(100, 100 + 2 * TAIL))
        slots = np.concatenate([s.slots for s in index.shards[SHARED].segments])
        assert (index.table.alive[slots] == 1).all()

    def test_searches_while_building(self, index: EmbeddedIndex) -> None:
        """Searches that run while pictures are added and segments built always find what was there before."""
        fill(index, range(20))
        stop, failures, searches = threading.Event(), [], [0]

        def search() -> None:
            seed = 0
            while not stop.is_set():
                seed = (seed + 7) % 20
                if f"one/seed.{seed}" not in finds(index, seed):
                    failures.append(seed)
                searches[0] += 1

        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        for seed in range(1000, 1000 + 4 * TAIL):
            add(index, seed)
            index.refresh()
        index.wait_for_builds()
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert searches[0] > 10


class TestShards:
    def test_small_channels_share(self, index: EmbeddedIndex) -> None:
        """Many small channels have one shard and no thread of their own; each finds its own pictures only."""
        for seed in range(60):
            add(index, seed, f"c{seed % 20}")
        threads = threading.active_count()
        index.refresh()
        index.wait_for_builds()
        assert set(index.shards) == {SHARED}
        assert threading.active_count() <= threads + 1
        for seed in (0, 7, 59):
            assert f"c{seed % 20}/seed.{seed}" in finds(index, seed, f"c{seed % 20}")
            assert {n.split("/")[0] for n in finds(index, seed, f"c{(seed + 1) % 20}")} <= {f"c{(seed + 1) % 20}"}

    def test_all_small_channels_at_once(self, index: EmbeddedIndex) -> None:
        """A search over all channels finds each picture and names its channel."""
        for seed in range(60):
            add(index, seed, f"c{seed % 20}")
        index.refresh()
        index.wait_for_builds()
        channels = [f"c{n}" for n in range(20)]
        for seed in (1, 22, 47):
            assert f"c{seed % 20}/seed.{seed}" in finds(index, seed, *channels)

    def test_ranked_whole(self, catalogue: Catalogue, vocabulary: Vocabulary) -> None:
        """Up to `exhaustive_up_to` pictures nothing is searched and nothing can be lost."""
        index = EmbeddedIndex(catalogue, vocabulary, replace(SETTINGS, exhaustive_up_to=40))
        fill(index, range(20))
        fill(index, range(20, 40), "two")
        fill(index, range(40, 41), "three")
        everything = {f"one/seed.{seed}" for seed in range(20)}
        assert set(finds(index, 999)) == everything
        everything |= {f"two/seed.{seed}" for seed in range(20, 40)}
        assert set(finds(index, 999, "one", "two")) == everything
        # One picture more, and the lists decide: they pass on ten each, and the tail is shorter than TAIL.
        assert len(finds(index, 25, "one", "two", "three")) < 10 + 10 + TAIL
        assert "two/seed.25" in finds(index, 25, "one", "two", "three")
        index.close()

    def test_promotion(self, index: EmbeddedIndex) -> None:
        """A channel that outgrows the shared shard gets one of its own; its pictures and the others' are found
        as before, each once."""
        fill(index, range(30))
        fill(index, range(200, 220), "small")
        fill(index, range(30, OWN_SHARD + 5))
        assert index.catalogue.channel("one").id in index.shards
        for seed in (0, 29, 30, OWN_SHARD + 4):
            assert finds(index, seed).count(f"one/seed.{seed}") == 1
            assert not any(n.startswith("one/") for n in finds(index, seed, "small"))
        for seed in (200, 219):
            assert f"small/seed.{seed}" in finds(index, seed, "small")
            assert finds(index, seed, "one", "small").count(f"small/seed.{seed}") == 1
        index.catalogue.remove_picture("one", "seed.0")
        assert "one/seed.0" not in finds(index, 0)

    def test_large_and_small_together(self, index: EmbeddedIndex) -> None:
        """One search over both kinds finds in both."""
        fill(index, range(OWN_SHARD + 20))
        fill(index, range(300, 310), "small")
        assert "one/seed.5" in finds(index, 5, "one", "small")
        assert "small/seed.305" in finds(index, 305, "one", "small")


class TestFailures:
    def test_logged_and_not_for_ever(
        self, index: EmbeddedIndex, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A segment that cannot be built is said once, with the reason; its pictures are found all the same, and it is
        tried again when twice as many wait."""
        tried: list[int] = []

        def fail(number: int) -> None:
            tried.append(number)
            raise ValueError("no segment today")

        with monkeypatch.context() as patched:
            patched.setattr(index, "build", fail)
            for last in range(TAIL, 2 * TAIL):
                fill(index, range(last - TAIL if last == TAIL else last - 1, last))
            assert tried == [SHARED]
            assert [record.levelname for record in caplog.records] == ["ERROR"]
            assert "no segment today" in caplog.text
            assert "one/seed.3" in finds(index, 3)
        fill(index, range(2 * TAIL - 1, 2 * TAIL))
        assert [s.pictures for s in index.shards[SHARED].segments] == [2 * TAIL]
        assert "one/seed.3" in finds(index, 3)
