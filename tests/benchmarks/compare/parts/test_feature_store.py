"""The store of described images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.compare.parts.feature_store import ArrayStore
from tests.support.drawn_sets import drawn


class TestArrayStore:
    def test_round_trip(self, tmp_path: Path) -> None:
        """Shapes, types, values and milliseconds come back, empty arrays too, in this and the next process."""
        given = {
            "xy": np.arange(6, dtype=np.float32).reshape(3, 2),
            "bits": np.array([2**63 + 1], np.uint64),
            "none": np.zeros((0, 4), np.uint8),
        }
        store = ArrayStore(tmp_path, "kind")
        store.put("a", given, 12.5)
        store.put("empty", {}, 1.0)
        for reader in (store, ArrayStore(tmp_path, "kind")):
            found = reader.get("a")
            assert {k: (v.dtype, v.shape) for k, v in found.items()} == {
                k: (v.dtype, v.shape) for k, v in given.items()
            }
            assert all(np.array_equal(found[k], given[k]) for k in given)
            assert (reader.ms("a"), reader.bytes("a"), reader.get("empty")) == (12.5, 32, {})
            assert "a" in reader
            assert "b" not in reader
            reader.close()

    def test_cut_off(self, tmp_path: Path) -> None:
        """What an interruption left half written is gone, and later entries are whole."""
        store = ArrayStore(tmp_path, "kind")
        store.put("a", {"x": np.arange(5)}, 1)
        store.close()
        with (tmp_path / "kind.bin").open("ab") as file:
            file.write(b"half of an array")
        with (tmp_path / "kind.jsonl").open("ab") as file:
            file.write(b'{"key": "b", "ms": 1, "arr')
        again = ArrayStore(tmp_path, "kind")
        assert "b" not in again
        again.put("b", {"x": np.arange(7)}, 2)
        assert again.get("a")["x"].tolist() == list(range(5))
        assert again.get("b")["x"].tolist() == list(range(7))
        again.close()
        third = ArrayStore(tmp_path, "kind")
        assert third.get("b")["x"].tolist() == list(range(7))
        third.close()

    def test_grows_under_a_reader(self, tmp_path: Path) -> None:
        """Views that were handed out stay what they were while more is added."""
        store = ArrayStore(tmp_path, "kind")
        store.put("a", {"x": drawn(1)}, 1)
        view = store.get("a")["x"]
        store.put("b", {"x": drawn(2)}, 1)
        assert np.array_equal(store.get("b")["x"], drawn(2))
        assert np.array_equal(view, drawn(1))
        store.close()
