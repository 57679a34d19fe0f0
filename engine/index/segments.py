"""Immutable segments of both lists, and the shards that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.index.checksums import FileSum
from engine.shortlist.global_index import VectorIndex
from engine.shortlist.votes import Segment
from engine.values import Array


@dataclass(eq=False)
class IndexSegment:
    """Both lists over the same slots."""

    votes: Segment
    vectors: VectorIndex
    file_name: str | None = None
    """What its files begin with; None until it is saved."""
    sums: dict[str, FileSum] = field(default_factory=dict)
    """Of its files, by name; empty until it is saved, and where they were saved without."""

    @property
    def pictures(self) -> int:
        return self.votes.pictures

    @property
    def slots(self) -> Array:
        return self.vectors.places


@dataclass
class Shard:
    """The segments of a large channel, or of all small ones, and the newest slots, which are in none."""

    segments: tuple[IndexSegment, ...] = ()
    tail: list[int] = field(default_factory=list)
