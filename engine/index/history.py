"""Which catalogue saved files belong to: the same numbers may stand for other pictures in another one.

Who puts an older copy of `catalogue.db` back and goes on gets picture numbers and log positions a second time, for
other pictures. Each save therefore draws a random number, which the catalogue keeps and the manifest names: a
catalogue that knows the number has been through that save. Files of before there were such numbers are compared with
the catalogue, picture by picture.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np

from engine.catalogue import Catalogue
from engine.catalogue.log import FEATURES_AT_ONCE
from engine.describe.records import KEYPOINTS, from_bytes
from engine.index.slots import SlotTable
from engine.values import Array

_META = "index_saves"


def draw(catalogue: Catalogue, before: str | None) -> str:
    """The number of a new save, which the catalogue knows from now on. before: of the files that are still there: they
    stay good until the new ones have replaced them, and if that never happens."""
    drawn = uuid.uuid4().hex
    catalogue.write_meta(_META, " ".join([drawn, *([before] if before else [])]))
    return drawn


def knows(catalogue: Catalogue, number: str) -> bool:
    """Whether this catalogue has been through that save."""
    return number in (catalogue.read_meta(_META) or "").split()


def why_foreign(catalogue: Catalogue, table: SlotTable, seq: int) -> str | None:
    """What shows that the slots, saved at log position `seq`, are not this catalogue's pictures; None: each picture
    is where it should be, in its channel and state. The features are left to `why_other_features`."""
    stored = np.array(catalogue.standing(), np.int64).reshape(-1, 3)
    added, removed, updated = set[int](), set[int](), set[int]()
    kinds = {"add": added, "remove": removed, "update": updated}
    last = seq
    # Read after the pictures, so that what changes between the two is known to have changed.
    while changes := catalogue.changes(after=last):
        for change in changes:
            kinds[change.kind].add(change.picture_id)
        last = changes[-1].seq
    slots = np.flatnonzero(table.alive[: table.count])
    slots = slots[~np.isin(table.picture_ids[slots], list(removed))]
    stored = stored[~np.isin(stored[:, 0], list(added | removed))]
    if not np.array_equal(table.picture_ids[slots], stored[:, 0]):
        return "it holds other pictures than the catalogue"
    if not np.array_equal(table.channels[slots], stored[:, 1]):
        return "it has pictures in other channels than the catalogue"
    unchanged = ~np.isin(stored[:, 0], list(updated))
    if not np.array_equal(table.visible[slots][unchanged] != 0, stored[unchanged, 2] != 0):
        return "it has pictures switched on or off otherwise than the catalogue"
    return None


def newest_first(table: SlotTable) -> Iterator[Array]:
    """Slots of living pictures in batches: where histories part, it is the newest that differ."""
    slots = np.flatnonzero(table.alive[: table.count])[::-1]
    for start in range(0, len(slots), FEATURES_AT_ONCE):
        yield slots[start : start + FEATURES_AT_ONCE]


def why_other_features(catalogue: Catalogue, table: SlotTable, slots: Array) -> str | None:
    """What shows that the slots' records or vectors are not those of the catalogue; pictures that are gone are passed
    over."""
    for number, _, _, keypoints, vector in catalogue.features([int(n) for n in table.picture_ids[slots]]):
        slot = table.slot_of(number)
        assert slot is not None
        same = np.array_equal(table.records(slot), from_bytes(keypoints)[:KEYPOINTS])
        if not same or table.vectors(np.array([slot]))[0].tobytes() != vector:
            return f"picture {number} is another one than in the catalogue"
    return None
