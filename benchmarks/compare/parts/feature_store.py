"""Arrays kept on disk by key, with the milliseconds that they cost: one data file, memory-mapped, and an index.

Nothing is ever changed, only added; what an interruption left behind the last whole line of the index is cut off
when the folder is opened again.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import numpy as np

from engine.values import Array

Arrays = dict[str, Array]
"""What is known of one image, by name."""


class ArrayStore:
    """The arrays of FOLDER/NAME.bin, with their index in FOLDER/NAME.jsonl. Only one store at a time may write them."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._data_path, index_path = folder / f"{name}.bin", folder / f"{name}.jsonl"
        self._entries: dict[str, dict[str, Any]] = {}
        whole = 0
        if index_path.exists():
            with index_path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    entry = json.loads(line)
                    self._entries[entry["key"]] = entry
                    whole += len(line)
        self._index = index_path.open("ab")
        self._index.truncate(whole)
        self._data = self._data_path.open("ab")
        self._data.truncate(max((e["end"] for e in self._entries.values()), default=0))
        self._end = self._data_path.stat().st_size
        self._map: mmap.mmap | None = None

    def close(self) -> None:
        """Views of the mapped file stay valid: the system frees it with the last of them."""
        self._index.close()
        self._data.close()
        self._map = None

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def put(self, key: str, arrays: Arrays, ms: float) -> None:
        """Adds the arrays of a key. ms: the milliseconds that it took to make them."""
        columns = []
        for name, values in arrays.items():
            block = np.ascontiguousarray(values)
            padding = -self._end % 16
            self._data.write(b"\0" * padding + block.tobytes())
            columns.append([name, block.dtype.str, list(block.shape), self._end + padding])
            self._end += padding + block.nbytes
        self._data.flush()
        entry = {"key": key, "ms": round(ms, 4), "arrays": columns, "end": self._end}
        self._index.write(json.dumps(entry).encode() + b"\n")
        self._index.flush()
        self._entries[key] = entry

    def ms(self, key: str) -> float:
        """The milliseconds that the key's arrays took. Raises KeyError."""
        return float(self._entries[key]["ms"])

    def bytes(self, key: str) -> int:
        """The bytes that the key's arrays have. Raises KeyError."""
        return sum(int(np.dtype(kind).itemsize * np.prod(shape)) for _, kind, shape, _ in self._entries[key]["arrays"])

    def get(self, key: str) -> Arrays:
        """The key's arrays, as read-only views of the mapped file. Raises KeyError."""
        entry = self._entries[key]
        if not self._end:
            return {name: np.zeros(shape, kind) for name, kind, shape, _ in entry["arrays"]}
        if self._map is None or len(self._map) < entry["end"]:
            with self._data_path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return {
            name: np.frombuffer(self._map, kind, count=int(np.prod(shape)), offset=offset).reshape(shape)
            for name, kind, shape, offset in entry["arrays"]
        }
