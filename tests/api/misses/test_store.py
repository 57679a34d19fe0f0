"""The file of kept misses: groups, ages, and what is forgotten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from api.misses.store import WHOLE, Miss, MissStore


@pytest.fixture
def store(tmp_path: Path) -> MissStore:
    return MissStore(tmp_path)


def put(store: MissStore, *, cluster: int = 0, at: float = 100.0, user: int = 1, sharpness: float = 1.0) -> int:
    miss = Miss(
        id=0, user_id=user, channel="c", at=at, cluster=cluster, sharpness=sharpness, width=640, height=480, box=WHOLE
    )
    vector = np.full(8, 5, np.int8)
    vector[cluster % 8] = -5
    return store.add(miss, vector=vector.tobytes(), jpeg=b"jpeg %d" % int(at))


def test_groups(store: MissStore) -> None:
    """Largest first, each with its sharpest photo and its times; each user's own."""
    lonely, head = put(store, at=50), put(store, at=60)
    second = put(store, cluster=head, at=70, sharpness=9.0)
    put(store, user=2)
    first, last = store.clusters(user_id=1, limit=10)
    assert (first.id, first.count, first.first_at, first.last_at, first.channels) == (head, 2, 60, 70, ("c",))
    assert (first.best.id, last.id) == (second, lonely)
    assert len(store.clusters(user_id=None, limit=10)) == 3
    assert len(store.clusters(user_id=None, limit=2)) == 2
    assert store.heads(1, dimension=8)[0] == [lonely, head]
    assert np.allclose(np.linalg.norm(store.heads(1, dimension=8)[1], axis=1), 1)
    assert store.heads(9, dimension=8)[0] == []
    assert store.heads(1, dimension=9)[0] == []
    assert store.jpeg(second) == b"jpeg 70"
    assert store.jpeg(99) is None
    assert store.get(99) is None


def test_boxes(store: MissStore) -> None:
    number = put(store)
    store.set_box(number, (0.1, 0.2, 0.8, 0.9))
    found = store.get(number)
    assert found is not None
    assert found.box == (0.1, 0.2, 0.8, 0.9)


def test_forgotten(store: MissStore) -> None:
    """By age and by number; a group whose first photo goes lives on; removed ones go whole."""
    head = put(store, at=10)
    second = put(store, cluster=head, at=20)
    third = put(store, cluster=head, at=30)
    assert store.purge(before=15, most=100) == 1
    (group,) = store.clusters(user_id=1, limit=10)
    assert (group.id, group.count) == (second, 2)
    assert store.heads(1, dimension=8)[0] == [second]
    assert store.purge(before=0, most=1) == 1
    (group,) = store.clusters(user_id=1, limit=10)
    assert (group.id, group.count) == (third, 1)
    assert store.remove(third) == 1
    assert store.clusters(user_id=None, limit=10) == []


def test_kept(tmp_path: Path) -> None:
    """What was kept is there when it is opened again."""
    first = MissStore(tmp_path)
    number = put(first)
    first.close()
    second = MissStore(tmp_path)
    assert second.get(number) is not None
    second.close()
