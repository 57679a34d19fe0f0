"""How an index follows the log of changes."""

from __future__ import annotations

import subprocess
import sys

from engine.describe.query import Query
from engine.index.embedded import EmbeddedIndex
from tests.support.made_index import (
    TAIL,
    add,
    everywhere,
    fill,
    finds,
    names,
    ranked,
)
from tests.support.made_records import made, photographed, stored

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


class TestFollowing:
    def test_empty(self, index: EmbeddedIndex) -> None:
        """An empty index finds nothing; nor do no channels at all."""
        index.catalogue.add_channel("one")
        assert finds(index, 1) == []
        nothing = Query(photographed(made(index.vocabulary, 1, count=0), 1), index.vocabulary)
        assert len(index.rank(nothing, []).pictures) == 0

    def test_an_addition_is_found_at_once(self, index: EmbeddedIndex) -> None:
        """The next search finds what was added before it, at every size of the tail."""
        for seed in range(3 * TAIL):
            add(index, seed)
            assert f"one/seed.{seed}" in finds(index, seed)

    def test_a_removal_holds_at_once(self, index: EmbeddedIndex) -> None:
        """Removed from tail or segment, a picture is never ranked again."""
        fill(index, range(3 * TAIL + 3))
        for seed in (0, TAIL, 3 * TAIL + 2):
            assert f"one/seed.{seed}" in finds(index, seed)
            index.catalogue.remove_picture("one", f"seed.{seed}")
            assert not {"gone", f"one/seed.{seed}"} & set(finds(index, seed))
        assert "gone" not in everywhere(index)

    def test_added_again(self, index: EmbeddedIndex) -> None:
        """A picture removed and added again is found as the new one."""
        fill(index, range(TAIL))
        index.catalogue.remove_picture("one", "seed.3")
        again = add(index, 3)
        found = ranked(index, 3).pictures
        assert found.tolist().count(again.id) == 1
        assert "gone" not in names(index, found)

    def test_inactive(self, index: EmbeddedIndex) -> None:
        """An inactive picture is not found until it is made active, whether it lies in tail or segment."""
        hidden = add(index, 500, active=False)
        assert finds(index, 500) == []
        fill(index, range(2 * TAIL))
        assert "one/seed.500" not in finds(index, 500)
        index.catalogue.update_picture("one", hidden.identifier, active=True)
        assert "one/seed.500" in finds(index, 500)
        index.catalogue.update_picture("one", hidden.identifier, active=False)
        assert "one/seed.500" not in finds(index, 500)

    def test_another_process(self, index: EmbeddedIndex) -> None:
        """What another process adds and removes is seen by the next search."""
        fill(index, range(2))
        command = [sys.executable, "-c", OTHER_PROCESS, str(index.catalogue.folder)]
        features = stored(index.vocabulary, 77)
        hexes = f"{features.keypoints.hex()}\n{features.vector.hex()}\n"
        subprocess.run(command, input=hexes, text=True, check=True)
        assert "one/other.77" in finds(index, 77)
        assert "one/seed.0" not in finds(index, 0)

    def test_removed_channel(self, index: EmbeddedIndex) -> None:
        """The pictures of a removed channel are gone, and a new channel of that name is empty."""
        fill(index, range(2 * TAIL), "two")
        fill(index, range(3))
        index.catalogue.remove_channel("two")
        index.catalogue.add_channel("two")
        assert finds(index, 1, "two") == []
        assert sorted(finds(index, 1, "one", "two")) == ["one/seed.0", "one/seed.1", "one/seed.2"]

    def test_a_log_of_many_changes(self, index: EmbeddedIndex) -> None:
        """Additions, removals and updates that come together end as the catalogue says."""
        for seed in range(2 * TAIL):
            add(index, seed)
            if seed % 3 == 0:
                index.catalogue.remove_picture("one", f"seed.{seed}")
            elif seed % 3 == 1:
                index.catalogue.update_picture("one", f"seed.{seed}", active=False)
        index.refresh()
        visible = index.table.picture_ids[: index.table.count][index.table.visible[: index.table.count] == 1]
        assert sorted(visible.tolist()) == [p.id for p in index.catalogue.all_pictures() if p.active]
        assert index.sizes[index.catalogue.channel("one").id] == index.catalogue.count("one")
