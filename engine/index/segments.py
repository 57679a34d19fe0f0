"""Immutable segments of both lists, and the shards that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.shortlist.global_index import VectorIndex
from engine.shortlist.votes import Segment
from engine.values import Array


@dataclass(frozen=True)
class IndexSegment:
    """Both lists over the same slots."""

    votes: Segment
    vectors: VectorIndex

    @property
    def pictures(self) -> int:
        return self.votes.pictures

    @property
    def slots(self) -> Array:
        return self.vectors.slots


@dataclass
class Shard:
    segments: tuple[IndexSegment, ...] = ()
    tail: list[int] = field(default_factory=list)
