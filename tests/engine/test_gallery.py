"""The searchable view: how it follows the log, builds segments, and is saved."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.catalogue import Catalogue, Picture
from engine.describe.query import Query
from engine.describe.records import KEYPOINTS, to_bytes
from engine.describe.vocabulary import Vocabulary
from engine.index import snapshot
from engine.index.embedded import SHARED, EmbeddedIndex
from engine.settings import EngineSettings
from engine.shortlist.lists import Shortlist
from tests.support.made_records import made, photographed

TAIL, OWN_SHARD = 8, 30
SETTINGS = EngineSettings(exhaustive_up_to=0, tail=TAIL, own_shard=OWN_SHARD)
"""Segments and shards of their own after a few pictures instead of thousands, and nothing is ranked whole but tails:
what is found is found by the lists."""


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    opened = Catalogue(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def gallery(catalogue: Catalogue, vocabulary: Vocabulary) -> Iterator[EmbeddedIndex]:
    opened = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    yield opened
    opened.close()


def add(gallery: EmbeddedIndex, seed: int, channel: str = "one", *, active: bool = True) -> Picture:
    """The made picture `seed`, as seed.N."""
    stored = made(gallery.vocabulary, seed).stored(gallery.vocabulary)
    if channel not in gallery.catalogue.counts():
        gallery.catalogue.add_channel(channel)
    return gallery.catalogue.add_picture(
        channel, f"seed.{seed}", stored, level=3, size=(480, 480), keypoints=40, active=active
    )


def fill(gallery: EmbeddedIndex, seeds: range, channel: str = "one") -> None:
    for seed in seeds:
        add(gallery, seed, channel)
    gallery.refresh()
    gallery.wait_for_builds()


def shortlist(gallery: EmbeddedIndex, seed: int, *channels: str) -> Shortlist:
    """Of a photo of the made picture `seed`."""
    photo = photographed(made(gallery.vocabulary, seed), seed)
    numbers = [gallery.catalogue.channel(c).id for c in channels or ("one",)]
    gallery.refresh()
    return gallery._shortlist(Query(photo, gallery.vocabulary), numbers, 10, 10, small_whole=True)


def names(gallery: EmbeddedIndex, slots: np.ndarray) -> list[str]:
    """channel/identifier of slots; "gone" where the catalogue has no such picture any more."""
    ids = [int(gallery.table.picture_ids[s]) for s in slots]
    known = gallery.catalogue.pictures_by_id(ids)
    return [f"{known[i].channel}/{known[i].identifier}" if i in known else "gone" for i in ids]


def finds(gallery: EmbeddedIndex, seed: int, *channels: str) -> list[str]:
    """All that is shortlisted for a photo of `seed`."""
    return names(gallery, shortlist(gallery, seed, *channels).union())


def everywhere(gallery: EmbeddedIndex, *channels: str) -> set[str]:
    """All that is ever shortlisted, asked with every picture's photo."""
    return {name for seed in range(0, 200, 9) for name in finds(gallery, seed, *channels)}


class TestFollowing:
    def test_empty(self, gallery: EmbeddedIndex) -> None:
        """An empty gallery shortlists nothing; nor do no channels at all."""
        gallery.catalogue.add_channel("one")
        assert finds(gallery, 1) == []
        nothing = Query(photographed(made(gallery.vocabulary, 1, count=0), 1), gallery.vocabulary)
        assert len(gallery.rank(nothing, []).pictures) == 0

    def test_an_addition_is_found_at_once(self, gallery: EmbeddedIndex) -> None:
        """The next search finds what was added before it, at every size of the tail."""
        for seed in range(3 * TAIL):
            add(gallery, seed)
            assert f"one/seed.{seed}" in finds(gallery, seed)

    def test_a_removal_holds_at_once(self, gallery: EmbeddedIndex) -> None:
        """Removed from tail or segment, a picture is never shortlisted again."""
        fill(gallery, range(3 * TAIL + 3))
        for seed in (0, TAIL, 3 * TAIL + 2):
            assert f"one/seed.{seed}" in finds(gallery, seed)
            gallery.catalogue.remove_picture("one", f"seed.{seed}")
            assert not {"gone", f"one/seed.{seed}"} & set(finds(gallery, seed))
        assert "gone" not in everywhere(gallery)

    def test_added_again(self, gallery: EmbeddedIndex) -> None:
        """A picture removed and added again is found as the new one."""
        fill(gallery, range(TAIL))
        gallery.catalogue.remove_picture("one", "seed.3")
        again = add(gallery, 3)
        found = shortlist(gallery, 3).union()
        assert gallery.table.picture_ids[found].tolist().count(again.id) == 1
        assert "gone" not in names(gallery, found)

    def test_inactive(self, gallery: EmbeddedIndex) -> None:
        """An inactive picture is not found until it is made active, whether it lies in tail or segment."""
        hidden = add(gallery, 500, active=False)
        assert finds(gallery, 500) == []
        fill(gallery, range(2 * TAIL))
        assert "one/seed.500" not in finds(gallery, 500)
        gallery.catalogue.update_picture("one", hidden.identifier, active=True)
        assert "one/seed.500" in finds(gallery, 500)
        gallery.catalogue.update_picture("one", hidden.identifier, active=False)
        assert "one/seed.500" not in finds(gallery, 500)

    def test_another_process(self, gallery: EmbeddedIndex) -> None:
        """What another process adds and removes is seen by the next search."""
        fill(gallery, range(2))
        command = [sys.executable, "-c", OTHER_PROCESS, str(gallery.catalogue.folder)]
        stored = made(gallery.vocabulary, 77).stored(gallery.vocabulary)
        hexes = f"{stored.keypoints.hex()}\n{stored.vector.hex()}\n"
        subprocess.run(command, input=hexes, text=True, check=True)
        assert "one/other.77" in finds(gallery, 77)
        assert "one/seed.0" not in finds(gallery, 0)

    def test_removed_channel(self, gallery: EmbeddedIndex) -> None:
        """The pictures of a removed channel are gone, and a new channel of that name is empty."""
        fill(gallery, range(2 * TAIL), "two")
        fill(gallery, range(3))
        gallery.catalogue.remove_channel("two")
        gallery.catalogue.add_channel("two")
        assert finds(gallery, 1, "two") == []
        assert sorted(finds(gallery, 1, "one", "two")) == ["one/seed.0", "one/seed.1", "one/seed.2"]

    def test_a_log_of_many_changes(self, gallery: EmbeddedIndex) -> None:
        """Additions, removals and updates that come together end as the catalogue says."""
        for seed in range(2 * TAIL):
            add(gallery, seed)
            if seed % 3 == 0:
                gallery.catalogue.remove_picture("one", f"seed.{seed}")
            elif seed % 3 == 1:
                gallery.catalogue.update_picture("one", f"seed.{seed}", active=False)
        gallery.refresh()
        visible = gallery.table.picture_ids[: gallery.table.count][gallery.table.visible[: gallery.table.count] == 1]
        assert sorted(visible.tolist()) == [p.id for p in gallery.catalogue.all_pictures() if p.active]
        assert gallery.sizes[gallery.catalogue.channel("one").id] == gallery.catalogue.count("one")


OTHER_PROCESS = """
import sys
from pathlib import Path
from engine.catalogue import Catalogue, StoredFeatures
catalogue = Catalogue(Path(sys.argv[1]))
features = StoredFeatures(keypoints=bytes.fromhex(input()), vector=bytes.fromhex(input()))
catalogue.add_picture("one", "other.77", features, level=3, size=(480, 480), keypoints=40)
catalogue.remove_picture("one", "seed.0")
catalogue.close()
"""


class TestSegments:
    def test_both_lists_find(self, gallery: EmbeddedIndex) -> None:
        """What lies in a segment is found by votes first of all, and by the global descriptor too."""
        fill(gallery, range(3 * TAIL))
        gallery.shards[SHARED].tail.clear()
        for seed in range(0, 3 * TAIL, 5):
            found = shortlist(gallery, seed)
            assert names(gallery, found.votes)[0] == f"one/seed.{seed}"
            assert f"one/seed.{seed}" in names(gallery, found.by_global)
            assert len(found.always) == 0

    @pytest.mark.parametrize("off", ["use_votes", "use_global"])
    def test_each_list_can_be_switched_off(self, gallery: EmbeddedIndex, off: str) -> None:
        """The other one finds alone."""
        fill(gallery, range(2 * TAIL))
        alone = EmbeddedIndex(gallery.catalogue, gallery.vocabulary, replace(SETTINGS, **{off: False}))
        alone.refresh()
        alone.wait_for_builds()
        found = shortlist(alone, 3)
        assert len(found.votes if off == "use_votes" else found.by_global) == 0
        assert "one/seed.3" in names(alone, found.union())
        alone.close()

    def test_made_of_tails(self, gallery: EmbeddedIndex) -> None:
        """Every picture lies in one segment or the tail, and there are few segments."""
        fill(gallery, range(11 * TAIL))
        shards = gallery.shards.values()
        slots = [s for shard in shards for segment in shard.segments for s in segment.slots.tolist()]
        slots += [s for shard in shards for s in shard.tail]
        alive = np.flatnonzero(gallery.table.alive[: gallery.table.count])
        assert sorted(slots) == alive.tolist()
        assert all(len(shard.tail) < TAIL for shard in shards)
        assert all(len(shard.segments) <= 4 for shard in shards)

    def test_removed_pictures_are_left_out_of_new_segments(self, gallery: EmbeddedIndex) -> None:
        """A merge drops what was removed."""
        fill(gallery, range(TAIL))
        for seed in range(8):
            gallery.catalogue.remove_picture("one", f"seed.{seed}")
        fill(gallery, range(100, 100 + 2 * TAIL))
        slots = np.concatenate([s.slots for s in gallery.shards[SHARED].segments])
        assert (gallery.table.alive[slots] == 1).all()

    def test_searches_while_building(self, gallery: EmbeddedIndex) -> None:
        """Searches that run while pictures are added and segments built always find what was there before."""
        fill(gallery, range(20))
        stop, failures, searches = threading.Event(), [], [0]

        def search() -> None:
            seed = 0
            while not stop.is_set():
                seed = (seed + 7) % 20
                if f"one/seed.{seed}" not in finds(gallery, seed):
                    failures.append(seed)
                searches[0] += 1

        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        for seed in range(1000, 1000 + 4 * TAIL):
            add(gallery, seed)
            gallery.refresh()
        gallery.wait_for_builds()
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert searches[0] > 10


class TestShards:
    def test_small_channels_share(self, gallery: EmbeddedIndex) -> None:
        """Many small channels have one shard and no thread of their own; each finds its own pictures only."""
        for seed in range(60):
            add(gallery, seed, f"c{seed % 20}")
        threads = threading.active_count()
        gallery.refresh()
        gallery.wait_for_builds()
        assert set(gallery.shards) == {SHARED}
        assert threading.active_count() <= threads + 1
        for seed in (0, 7, 59):
            assert f"c{seed % 20}/seed.{seed}" in finds(gallery, seed, f"c{seed % 20}")
            assert {n.split("/")[0] for n in finds(gallery, seed, f"c{(seed + 1) % 20}")} <= {f"c{(seed + 1) % 20}"}

    def test_all_small_channels_at_once(self, gallery: EmbeddedIndex) -> None:
        """A search over all channels finds each picture and names its channel."""
        for seed in range(60):
            add(gallery, seed, f"c{seed % 20}")
        gallery.refresh()
        gallery.wait_for_builds()
        channels = [f"c{n}" for n in range(20)]
        for seed in (1, 22, 47):
            assert f"c{seed % 20}/seed.{seed}" in finds(gallery, seed, *channels)

    def test_ranked_whole(self, catalogue: Catalogue, vocabulary: Vocabulary) -> None:
        """Up to `exhaustive_up_to` pictures nothing is searched and nothing can be lost."""
        gallery = EmbeddedIndex(catalogue, vocabulary, replace(SETTINGS, exhaustive_up_to=40))
        fill(gallery, range(20))
        fill(gallery, range(20, 40), "two")
        fill(gallery, range(40, 41), "three")
        for channels, count in ((("one",), 20), (("one", "two"), 40)):
            found = shortlist(gallery, 999, *channels)
            assert (len(found.always), len(found.votes), len(found.by_global)) == (count, 0, 0)
        found = shortlist(gallery, 25, "one", "two", "three")
        assert len(found.always) < TAIL
        assert len(found.votes) > 0
        gallery.close()

    def test_promotion(self, gallery: EmbeddedIndex) -> None:
        """A channel that outgrows the shared shard gets one of its own; its pictures and the others' are found
        as before, each once."""
        fill(gallery, range(30))
        fill(gallery, range(200, 220), "small")
        fill(gallery, range(30, OWN_SHARD + 5))
        assert gallery.catalogue.channel("one").id in gallery.shards
        for seed in (0, 29, 30, OWN_SHARD + 4):
            assert finds(gallery, seed).count(f"one/seed.{seed}") == 1
            assert not any(n.startswith("one/") for n in finds(gallery, seed, "small"))
        for seed in (200, 219):
            assert f"small/seed.{seed}" in finds(gallery, seed, "small")
            assert finds(gallery, seed, "one", "small").count(f"small/seed.{seed}") == 1
        gallery.catalogue.remove_picture("one", "seed.0")
        assert "one/seed.0" not in finds(gallery, 0)

    def test_large_and_small_together(self, gallery: EmbeddedIndex) -> None:
        """One search over both kinds finds in both."""
        fill(gallery, range(OWN_SHARD + 20))
        fill(gallery, range(300, 310), "small")
        assert "one/seed.5" in finds(gallery, 5, "one", "small")
        assert "small/seed.305" in finds(gallery, 305, "one", "small")


class TestSlotTable:
    def test_grows(self, gallery: EmbeddedIndex) -> None:
        """Beyond its first 256 rows the table grows, and every row stays what it was."""
        fill(gallery, range(300))
        for seed in (0, 255, 256, 299):
            slot = gallery.table.slot_of(gallery.catalogue.picture("one", f"seed.{seed}").id)
            assert slot == seed
            assert to_bytes(gallery.table.records(slot)) == to_bytes(made(gallery.vocabulary, seed).rows)
        vectors = gallery.table.vectors(np.array([256, 0, 299]))
        expected = [made(gallery.vocabulary, s).stored(gallery.vocabulary).vector for s in (256, 0, 299)]
        assert [v.tobytes() for v in vectors] == expected
        assert gallery.table.slot_of(10**9) is None
        assert gallery.table.slot_of(0) is None

    def test_more_keypoints_than_a_record_holds(self, gallery: EmbeddedIndex) -> None:
        """Of a picture with more keypoints the first 400 are taken."""
        many = made(gallery.vocabulary, 1, count=500)
        gallery.catalogue.add_channel("one")
        gallery.catalogue.add_picture(
            "one", "many", many.stored(gallery.vocabulary), level=3, size=(480, 480), keypoints=500
        )
        gallery.refresh()
        assert len(gallery.table.records(0)) == KEYPOINTS

    def test_a_picture_without_keypoints(self, gallery: EmbeddedIndex) -> None:
        """A picture without keypoints (after a failed `reindex`) is no trouble."""
        empty = made(gallery.vocabulary, 1, count=0)
        gallery.catalogue.add_channel("one")
        gallery.catalogue.add_picture(
            "one", "empty", empty.stored(gallery.vocabulary), level=1, size=(9, 9), keypoints=0
        )
        fill(gallery, range(2, 2 + TAIL))
        assert "one/seed.5" in finds(gallery, 5)


def reopened(catalogue: Catalogue, vocabulary: Vocabulary) -> EmbeddedIndex:
    """A new gallery from what is saved, before it reads the log."""
    gallery = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    snapshot.load(gallery, catalogue.folder)
    return gallery


def filled(gallery: EmbeddedIndex) -> None:
    """Tail, segments, a shard of its own, removed and inactive pictures."""
    fill(gallery, range(OWN_SHARD + 10))
    fill(gallery, range(100, 130), "two")
    for seed in (0, 20, OWN_SHARD + 9):
        gallery.catalogue.remove_picture("one", f"seed.{seed}")
    gallery.catalogue.update_picture("two", "seed.101", active=False)
    gallery.refresh()


QUESTIONS = [(s, c) for s in (0, 1, 19, 20, 39, 100, 101, 129) for c in (("one",), ("two",), ("one", "two"))]


def answers(gallery: EmbeddedIndex) -> list[list[str]]:
    """What is found first, and the set of all that is."""
    return [finds(gallery, seed, *channels) for seed, channels in QUESTIONS]


def assert_found(gallery: EmbeddedIndex) -> None:
    """Everything that is there is found, and nothing that is not."""
    for seed in (1, 19, 38):
        assert f"one/seed.{seed}" in finds(gallery, seed)
    for seed in (100, 129):
        assert f"two/seed.{seed}" in finds(gallery, seed, "two")
    found = {n for seed in (0, 20, 39, 101) for n in finds(gallery, seed, "one", "two")}
    assert not found & {"gone", "one/seed.0", "one/seed.20", "one/seed.39", "two/seed.101"}


class TestSaved:
    def test_loaded_equals_saved(self, gallery: EmbeddedIndex) -> None:
        """A loaded gallery stands where the saved one stood, without reading the log, and finds the same."""
        filled(gallery)
        snapshot.save(gallery, gallery.catalogue.folder)
        again = reopened(gallery.catalogue, gallery.vocabulary)
        assert again.seq == gallery.seq == gallery.catalogue.last_seq()
        assert len(again.table.arrays[0]) == again.table.count == gallery.table.count
        assert again.sizes == {k: v for k, v in gallery.sizes.items() if v}
        assert answers(again) == answers(gallery)
        assert_found(again)
        again.close()

    def test_loaded_equals_rebuilt(self, gallery: EmbeddedIndex) -> None:
        """A gallery built from the log alone finds the same pictures."""
        filled(gallery)
        snapshot.save(gallery, gallery.catalogue.folder)
        snapshot.forget(gallery.catalogue.folder)
        rebuilt = reopened(gallery.catalogue, gallery.vocabulary)
        assert rebuilt.seq == 0
        rebuilt.refresh()
        rebuilt.wait_for_builds()
        assert_found(rebuilt)
        rebuilt.close()

    def test_the_rest_of_the_log_is_replayed(self, gallery: EmbeddedIndex) -> None:
        """What changed after the save is seen after the load."""
        filled(gallery)
        snapshot.save(gallery, gallery.catalogue.folder)
        add(gallery, 700)
        gallery.catalogue.remove_picture("one", "seed.1")
        again = reopened(gallery.catalogue, gallery.vocabulary)
        assert "one/seed.700" in finds(again, 700)
        assert "one/seed.1" not in finds(again, 1)
        again.close()

    def test_saved_again_and_again(self, gallery: EmbeddedIndex) -> None:
        """Each save goes on from the one before, and leaves no stale files."""
        current, folder = gallery, gallery.catalogue.folder
        for turn in range(3):
            fill(current, range(turn * 50, turn * 50 + 50))
            current.catalogue.remove_picture("one", f"seed.{turn * 50}")
            current.refresh()
            snapshot.save(current, folder)
            snapshot.save(current, folder)
            if current is not gallery:
                current.close()
            current = reopened(gallery.catalogue, gallery.vocabulary)
            assert all(f"one/seed.{s}" in finds(current, s) for s in range(1, turn * 50 + 50, 11) if s % 50)
        manifest = json.loads((folder / "index" / "manifest.json").read_text())
        named = {s["name"] for shard in manifest["shards"].values() for s in shard["segments"]}
        stored = {"-".join(p.name.split("-")[:2]) for p in (folder / "index").glob("segment-*")}
        assert {s.split(".")[0] for s in stored} == named
        assert len(list((folder / "index").glob("slots-*"))) == 1
        current.close()

    def test_empty(self, gallery: EmbeddedIndex) -> None:
        """An empty gallery can be saved and loaded."""
        snapshot.save(gallery, gallery.catalogue.folder)
        again = reopened(gallery.catalogue, gallery.vocabulary)
        assert again.table.count == 0
        fill(again, range(3))
        assert "one/seed.1" in finds(again, 1)
        again.close()

    def test_an_older_catalogue_beside_newer_indexes(self, gallery: EmbeddedIndex, tmp_path: Path) -> None:
        """Where the log is behind the indexes (a restored backup), they are not used."""
        fill(gallery, range(3))
        gallery.catalogue.close()
        shutil.copytree(gallery.catalogue.folder, tmp_path / "old")
        fill(gallery, range(3, 9))
        snapshot.save(gallery, gallery.catalogue.folder)
        shutil.copytree(gallery.catalogue.folder / "index", tmp_path / "old" / "index")
        old = Catalogue(tmp_path / "old")
        again = reopened(old, gallery.vocabulary)
        assert again.table.count == 0
        assert "one/seed.2" in finds(again, 2)
        again.close()
        old.close()

    def test_another_fingerprint(self, gallery: EmbeddedIndex) -> None:
        """Indexes of another model are not used."""
        gallery.catalogue.write_meta("fingerprint", "a")
        fill(gallery, range(3))
        snapshot.save(gallery, gallery.catalogue.folder)
        gallery.catalogue.write_meta("fingerprint", "b")
        again = reopened(gallery.catalogue, gallery.vocabulary)
        assert again.table.count == 0
        again.close()

    def test_a_reader_while_the_holder_saves(self, gallery: EmbeddedIndex) -> None:
        """Another process that has the saved records mapped can read them while they are saved anew."""
        fill(gallery, range(200))
        snapshot.save(gallery, gallery.catalogue.folder)
        records = gallery.catalogue.folder / "index" / "records.bin"
        with subprocess.Popen(
            [sys.executable, "-c", MAPPED_READER, str(records)],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        ) as reader:
            assert reader.stdout is not None
            assert reader.stdin is not None
            assert reader.stdout.readline() == "mapped\n"
            until = time.monotonic() + 1.5
            while time.monotonic() < until and reader.poll() is None:
                snapshot.save(gallery, gallery.catalogue.folder)
            reader.stdin.close()
            reads = reader.stdout.readline()
        assert reader.returncode == 0
        assert int(reads) > 10


MAPPED_READER = """
import sys, threading
import numpy as np
records = np.memmap(sys.argv[1], np.uint64, "c")
first = int(records.sum(dtype=np.uint64))
print("mapped", flush=True)
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
reads = 0
while not stop.is_set():
    assert int(np.memmap.sum(records, dtype=np.uint64)) == first
    reads += 1
print(reads, flush=True)
"""


def lose(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


KINDS = (
    "manifest.json",
    "records.bin",
    "vectors.bin",
    "slots-*.npz",
    "segment-*-offsets.npy",
    "segment-*-slots.npy",
    "segment-*-signatures.npy",
    "segment-*-norms.npy",
    "segment-*-vectors.faiss",
    "segment-*-vector-slots.npy",
)
QUICK = {
    ("manifest.json", lose),
    ("manifest.json", cut),
    ("records.bin", lose),
    ("records.bin", cut),
    ("slots-*.npz", empty),
    ("slots-*.npz", cut),
    ("segment-*-offsets.npy", lose),
    ("segment-*-offsets.npy", empty),
    ("segment-*-vectors.faiss", garble),
}
CASES = [
    pytest.param(kind, harm, marks=[] if (kind, harm) in QUICK else [pytest.mark.slow])
    for kind in KINDS
    for harm in (lose, empty, cut, garble)
    # A file of numbers without any structure cannot be told from another of the same size.
    if (kind, harm) not in {("records.bin", garble), ("vectors.bin", garble)}
]


@pytest.fixture(scope="module")
def saved(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with saved indexes."""
    folder = tmp_path_factory.mktemp("saved")
    catalogue = Catalogue(folder / "data")
    gallery = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    filled(gallery)
    snapshot.save(gallery, catalogue.folder)
    gallery.close()
    catalogue.close()
    return folder / "data"


class TestDamaged:
    @pytest.mark.parametrize(
        ("kind", "harm"),
        CASES,
        ids=lambda v: v if isinstance(v, str) else v.__name__,
    )
    def test_rebuilt(
        self,
        saved: Path,
        vocabulary: Vocabulary,
        tmp_path: Path,
        kind: str,
        harm: Callable[[Path], None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A derived file that is missing, empty, cut off or garbage costs a rebuild, and nothing else."""
        shutil.copytree(saved, tmp_path / "copy")
        harm(next((tmp_path / "copy" / "index").glob(kind)))
        catalogue = Catalogue(tmp_path / "copy")
        with caplog.at_level(logging.WARNING):
            again = reopened(catalogue, vocabulary)
        assert again.seq == 0
        assert harm is lose or "built anew" in caplog.text
        again.refresh()
        again.wait_for_builds()
        assert_found(again)
        snapshot.save(again, catalogue.folder)
        again.close()
        once_more = reopened(catalogue, vocabulary)
        assert once_more.seq == catalogue.last_seq()
        assert_found(once_more)
        once_more.close()
        catalogue.close()
