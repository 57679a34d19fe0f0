"""One picture that a photo is compared with, of a gallery or of none: ranked and verified as in one that holds it
alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import rank
from engine.catalogue import Picture
from engine.describe.orb_bits import BYTES
from engine.describe.query import Query
from engine.describe.records import KEYPOINTS, frame_size, from_bytes
from engine.enrol.preparation import PreparedPicture
from engine.image import decode_kept
from engine.index.ranking import Ranking
from engine.recognise.kept_pictures import LONG_SIDE
from engine.values import Array
from engine.verify.evidence import Candidate
from engine.verify.reference import Reference


@dataclass(frozen=True, eq=False, kw_only=True)
class OnePicture:
    """A picture's facts, and what photos are compared with."""

    facts: Picture
    rows: Array
    """(n, 2) uint64 keypoints, as `engine.describe.records` lays them out."""
    orb: bytes | None
    """ORB's bits, where they are kept."""
    reference: Reference | None
    """None where the picture is not kept."""

    def rank(self, query: Query) -> Ranking:
        """As an index ranks it that holds nothing else."""
        records = np.zeros((1, KEYPOINTS, 2), np.uint64)
        records[0, : len(self.rows)] = self.rows
        counts = np.array([len(self.rows)])
        scores = rank.rank(rank.index_photo(query), records, records[:0], np.zeros(1, np.int64), counts)
        return Ranking(np.array([self.facts.id]), scores, (self.rows,))

    def candidate(self, rank_score: float) -> Candidate:
        """It, ready to be verified. rank_score: of its ranking."""
        orb = None if self.orb is None else np.frombuffer(self.orb, np.uint8).reshape(-1, BYTES)
        return Candidate(self.facts.id, rank_score, self.rows, frame_size((self.facts.width, self.facts.height)), orb)


def unstored(picture: PreparedPicture) -> OnePicture:
    """A picture of no gallery: its identifier, channel and UUID are empty, its number is 0."""
    width, height = picture.size
    facts = Picture(
        id=0,
        channel="",
        identifier="",
        uuid="",
        metadata="",
        threshold=None,
        active=True,
        facts={},
        level=picture.level,
        width=width,
        height=height,
        keypoints=picture.keypoints,
        added_at=0.0,
        updated_at=0.0,
    )
    jpeg = picture.features.jpeg
    return OnePicture(
        facts=facts,
        rows=from_bytes(picture.features.keypoints),
        orb=picture.features.orb,
        reference=None if jpeg is None else Reference(decode_kept(jpeg, long_side=LONG_SIDE)),
    )
