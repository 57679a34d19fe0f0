"""An index that is saved and loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from engine.catalogue import Catalogue
from engine.index import snapshot
from engine.index.embedded import EmbeddedIndex
from tests.support.made_index import (
    add,
    assert_found,
    fill,
    filled,
    finds,
    reopened,
)

QUESTIONS = [(s, c) for s in (0, 1, 19, 20, 39, 100, 101, 129) for c in (("one",), ("two",), ("one", "two"))]


def answers(index: EmbeddedIndex) -> list[list[str]]:
    """What is found first, and the set of all that is."""
    return [finds(index, seed, *channels) for seed, channels in QUESTIONS]


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


class TestSaved:
    def test_loaded_equals_saved(self, index: EmbeddedIndex) -> None:
        """A loaded index stands where the saved one stood, without reading the log, and finds the same."""
        filled(index)
        snapshot.save(index, index.catalogue.folder)
        again = reopened(index.catalogue, index.vocabulary)
        assert again.seq == index.seq == index.catalogue.last_seq()
        assert len(again.table.arrays[0]) == again.table.count == index.table.count
        assert again.sizes == {k: v for k, v in index.sizes.items() if v}
        assert answers(again) == answers(index)
        assert_found(again)
        again.close()

    def test_loaded_equals_rebuilt(self, index: EmbeddedIndex) -> None:
        """An index built from the log alone finds the same pictures."""
        filled(index)
        snapshot.save(index, index.catalogue.folder)
        snapshot.forget(index.catalogue.folder)
        rebuilt = reopened(index.catalogue, index.vocabulary)
        assert rebuilt.seq == 0
        rebuilt.refresh()
        rebuilt.wait_for_builds()
        assert_found(rebuilt)
        rebuilt.close()

    def test_the_rest_of_the_log_is_replayed(self, index: EmbeddedIndex) -> None:
        """What changed after the save is seen after the load."""
        filled(index)
        snapshot.save(index, index.catalogue.folder)
        add(index, 700)
        index.catalogue.remove_picture("one", "seed.1")
        again = reopened(index.catalogue, index.vocabulary)
        assert "one/seed.700" in finds(again, 700)
        assert "one/seed.1" not in finds(again, 1)
        again.close()

    def test_saved_again_and_again(self, index: EmbeddedIndex) -> None:
        """Each save goes on from the one before, and leaves no stale files."""
        current, folder = index, index.catalogue.folder
        for turn in range(3):
            fill(current, range(turn * 50, turn * 50 + 50))
            current.catalogue.remove_picture("one", f"seed.{turn * 50}")
            current.refresh()
            snapshot.save(current, folder)
            snapshot.save(current, folder)
            if current is not index:
                current.close()
            current = reopened(index.catalogue, index.vocabulary)
            assert all(f"one/seed.{s}" in finds(current, s) for s in range(1, turn * 50 + 50, 11) if s % 50)
        manifest = json.loads((folder / "index" / "manifest.json").read_text())
        named = {s["name"] for shard in manifest["shards"].values() for s in shard["segments"]}
        stored = {"-".join(p.name.split("-")[:2]) for p in (folder / "index").glob("segment-*")}
        assert {s.split(".")[0] for s in stored} == named
        assert len(list((folder / "index").glob("slots-*"))) == 1
        current.close()

    def test_empty(self, index: EmbeddedIndex) -> None:
        """An empty index can be saved and loaded."""
        snapshot.save(index, index.catalogue.folder)
        again = reopened(index.catalogue, index.vocabulary)
        assert again.table.count == 0
        fill(again, range(3))
        assert "one/seed.1" in finds(again, 1)
        again.close()

    def test_an_older_catalogue_beside_newer_indexes(self, index: EmbeddedIndex, tmp_path: Path) -> None:
        """Where the log is behind the indexes (a restored backup), they are not used."""
        fill(index, range(3))
        index.catalogue.close()
        shutil.copytree(index.catalogue.folder, tmp_path / "old")
        fill(index, range(3, 9))
        snapshot.save(index, index.catalogue.folder)
        shutil.copytree(index.catalogue.folder / "index", tmp_path / "old" / "index")
        old = Catalogue(tmp_path / "old")
        again = reopened(old, index.vocabulary)
        assert again.table.count == 0
        assert "one/seed.2" in finds(again, 2)
        again.close()
        old.close()

    def test_another_fingerprint(self, index: EmbeddedIndex) -> None:
        """Indexes of another model are not used."""
        index.catalogue.write_meta("fingerprint", "a")
        fill(index, range(3))
        snapshot.save(index, index.catalogue.folder)
        index.catalogue.write_meta("fingerprint", "b")
        again = reopened(index.catalogue, index.vocabulary)
        assert again.table.count == 0
        again.close()

    def test_a_reader_while_the_holder_saves(self, index: EmbeddedIndex) -> None:
        """Another process that has the saved records mapped can read them while they are saved anew."""
        fill(index, range(200))
        snapshot.save(index, index.catalogue.folder)
        records = index.catalogue.folder / "index" / "records.bin"
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
                snapshot.save(index, index.catalogue.folder)
            reader.stdin.close()
            reads = reader.stdout.readline()
        assert reader.returncode == 0
        assert int(reads) > 10
