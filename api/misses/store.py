"""The kept misses in a file of their own, which may be thrown away: SQLite, beside the catalogue."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.values import FloatArray

NAME = "misses.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS miss (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    at REAL NOT NULL,
    cluster INTEGER NOT NULL,
    sharpness REAL NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    left REAL NOT NULL, top REAL NOT NULL, right REAL NOT NULL, bottom REAL NOT NULL,
    vector BLOB NOT NULL,
    jpeg BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS miss_by_cluster ON miss (cluster);
CREATE INDEX IF NOT EXISTS miss_by_time ON miss (at);
"""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in shares of width and height."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Miss:
    """One kept photo."""

    id: int
    user_id: int
    """Who sent it."""
    channel: str
    """That was asked; empty: all of the user's."""
    at: float
    """Seconds since 1970."""
    cluster: int
    """Number of the first miss that shows the same."""
    sharpness: float
    width: int
    height: int
    box: Box = field(default=WHOLE)
    """Where the cluster's photos agree, in this one."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Photos that show the same."""

    id: int
    count: int
    first_at: float
    last_at: float
    channels: tuple[str, ...]
    """That were asked."""
    best: Miss
    """The sharpest."""


def remove_all(folder: Path) -> None:
    """Whatever was kept there."""
    for ending in ("", "-wal", "-shm"):
        (folder / f"{NAME}{ending}").unlink(missing_ok=True)


class MissStore:
    """Safe for use by many threads."""

    def __init__(self, folder: Path) -> None:
        """Raises sqlite3.Error."""
        self._connection = sqlite3.connect(folder / NAME, check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        with self._lock:
            # A miss that a power cut takes is no loss: the file is not waited for.
            self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def heads(self, user_id: int, *, dimension: int) -> tuple[list[int], FloatArray]:
        """Numbers of the user's clusters, and (N, G) float32 global descriptors of their first photos, on the unit
        sphere. dimension: G; what another model described is passed over."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, vector FROM miss WHERE user_id = ? AND id = cluster AND length(vector) = ? ORDER BY id",
                (user_id, dimension),
            ).fetchall()
        if not rows:
            return [], np.zeros((0, 1), np.float32)
        vectors = np.stack([np.frombuffer(vector, np.int8) for _, vector in rows]).astype(np.float32)
        return [number for number, _ in rows], vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def add(self, miss: Miss, *, vector: bytes, jpeg: bytes) -> int:
        """Its number; `id` of `miss` counts for nothing, and a `cluster` of 0 is a new one."""
        with self._lock, self._transaction():
            made = self._connection.execute(
                "INSERT INTO miss (user_id, channel, at, cluster, sharpness, width, height, left, top, right, bottom,"
                " vector, jpeg) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(miss.user_id, miss.channel, miss.at, miss.cluster, miss.sharpness, miss.width, miss.height),
                    *(*miss.box, vector, jpeg),
                ),
            )
            number = int(made.lastrowid or 0)
            if not miss.cluster:
                self._connection.execute("UPDATE miss SET cluster = id WHERE id = ?", (number,))
        return number

    def set_box(self, number: int, box: Box) -> None:
        """Of the photo of that number."""
        with self._lock:
            self._connection.execute(
                "UPDATE miss SET left = ?, top = ?, right = ?, bottom = ? WHERE id = ?", (*box, number)
            )

    def get(self, number: int) -> Miss | None:
        with self._lock:
            row = self._connection.execute(f"SELECT {_COLUMNS} FROM miss WHERE id = ?", (number,)).fetchone()
        return None if row is None else _miss(row)

    def jpeg(self, number: int) -> bytes | None:
        with self._lock:
            row = self._connection.execute("SELECT jpeg FROM miss WHERE id = ?", (number,)).fetchone()
        return None if row is None else bytes(row[0])

    def clusters(self, *, user_id: int | None, limit: int) -> list[Cluster]:
        """Those with most photos first; user_id: None: everybody's."""
        who, values = ("1", ()) if user_id is None else ("user_id = ?", (user_id,))
        with self._lock:
            groups = self._connection.execute(
                f"SELECT cluster, count(*), min(at), max(at), group_concat(DISTINCT channel) FROM miss WHERE {who}"
                " GROUP BY cluster ORDER BY count(*) DESC, max(at) DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
            found = []
            for number, count, first, last, channels in groups:
                best = self._connection.execute(
                    f"SELECT {_COLUMNS} FROM miss WHERE cluster = ? ORDER BY sharpness DESC LIMIT 1", (number,)
                ).fetchone()
                found.append(
                    Cluster(
                        id=number,
                        count=count,
                        first_at=first,
                        last_at=last,
                        channels=tuple(name for name in channels.split(",") if name),
                        best=_miss(best),
                    )
                )
        return found

    def remove(self, cluster: int) -> int:
        """All photos of a cluster; how many."""
        with self._lock:
            return self._connection.execute("DELETE FROM miss WHERE cluster = ?", (cluster,)).rowcount

    def purge(self, *, before: float, most: int) -> int:
        """Photos that are older than `before`, and the oldest beyond `most`; how many. Where a cluster's first photo
        goes, the next one stands for it."""
        with self._lock, self._transaction():
            done = self._connection.execute("DELETE FROM miss WHERE at < ?", (before,)).rowcount
            done += self._connection.execute(
                "DELETE FROM miss WHERE id IN (SELECT id FROM miss ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?)",
                (most,),
            ).rowcount
            orphans = self._connection.execute(
                "SELECT min(id), cluster FROM miss WHERE cluster NOT IN (SELECT id FROM miss) GROUP BY cluster"
            ).fetchall()
            self._connection.executemany("UPDATE miss SET cluster = ? WHERE cluster = ?", orphans)
        return done

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


_COLUMNS = "id, user_id, channel, at, cluster, sharpness, width, height, left, top, right, bottom"


def _miss(row: tuple[int, int, str, float, int, float, int, int, float, float, float, float]) -> Miss:
    number, user_id, channel, at, cluster, sharpness, width, height, *box = row
    return Miss(
        id=number,
        user_id=user_id,
        channel=channel,
        at=at,
        cluster=cluster,
        sharpness=sharpness,
        width=width,
        height=height,
        box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
    )
