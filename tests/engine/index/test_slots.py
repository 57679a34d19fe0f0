"""The slot table."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.describe.records import KEYPOINTS, to_bytes
from engine.index.embedded import EmbeddedIndex
from engine.index.slots import SlotTable
from tests.support.made_index import (
    TAIL,
    fill,
    finds,
)
from tests.support.made_records import made, stored


class TestSlotTable:
    def test_grows(self, index: EmbeddedIndex) -> None:
        """Beyond its first 256 rows the table grows, and every row stays what it was."""
        fill(index, range(300))
        for seed in (0, 255, 256, 299):
            slot = index.table.slot_of(index.catalogue.picture("one", f"seed.{seed}").id)
            assert slot == seed
            assert to_bytes(index.table.records(slot)) == to_bytes(made(index.vocabulary, seed).rows)
        vectors = index.table.vectors(np.array([256, 0, 299]))
        expected = [stored(index.vocabulary, s).vector for s in (256, 0, 299)]
        assert [v.tobytes() for v in vectors] == expected
        assert index.table.slot_of(10**9) is None
        assert index.table.slot_of(0) is None

    def test_more_keypoints_than_a_record_holds(self, index: EmbeddedIndex) -> None:
        """Of a picture with more keypoints the first 400 are taken."""
        many = made(index.vocabulary, 1, count=500)
        index.catalogue.add_channel("one")
        index.catalogue.add_picture(
            "one", "many", many.stored(index.vocabulary), level=3, size=(480, 480), keypoints=500
        )
        index.refresh()
        assert len(index.table.records(0)) == KEYPOINTS

    def test_a_picture_without_keypoints(self, index: EmbeddedIndex) -> None:
        """A picture without keypoints (after a failed `reindex`) is no trouble."""
        empty = made(index.vocabulary, 1, count=0)
        index.catalogue.add_channel("one")
        index.catalogue.add_picture("one", "empty", empty.stored(index.vocabulary), level=1, size=(9, 9), keypoints=0)
        fill(index, range(2, 2 + TAIL))
        assert "one/seed.5" in finds(index, 5)

    def test_while_it_grows(self, index: EmbeddedIndex) -> None:
        """A picture that joins between two looks at the count is not there yet."""

        class Growing(SlotTable):
            looks = 0

            def __getattribute__(self, name: str) -> Any:
                if name == "count":
                    Growing.looks += 1
                    return 2 + (Growing.looks > 1)
                return super().__getattribute__(name)

        fill(index, range(3))
        index.table.__class__ = Growing
        newest = index.catalogue.picture("one", "seed.2").id
        assert index.table.slots_of(np.array([1, newest])).tolist() == [0, -1]
        index.table.__class__ = SlotTable
