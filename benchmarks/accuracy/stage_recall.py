"""Recall of the shortlist and of the ranking by geometry, beside the ceiling: all pictures ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.places import place_of_right
from benchmarks.sets import CHANNEL, EvaluationSet
from engine.describe.features import describe_photo
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.query import Query
from engine.image import decode, resize_long_side
from engine.recognizer import Recognizer
from engine.values import Array

AFTER_GEOMETRY = (1, 3, 10)


def recall(recognizer: Recognizer, sets: Sequence[EvaluationSet], depths: Sequence[int]) -> dict[str, Any]:
    """Photos without a right picture are left out. Each rank is that of the best right picture; ties count
    against us. The lists are read to the greatest depth asked for, the ranking by geometry to the gallery's
    own. A shard's newest pictures (up to 512) are on neither list: they stand behind both in the union."""
    rows: dict[str, list[dict[str, float]]] = {}
    for evaluation in sets:
        rows[evaluation.name] = [
            _ranks(recognizer, evaluation, query, references, max(depths))
            for query, references in sorted(evaluation.truth.items())
            if references
        ]
    pooled = [row for part in rows.values() for row in part]
    return {
        "gallery": recognizer.index.pictures,
        "sets": {name: _shares(part, depths) for name, part in rows.items()},
        "all": _shares(pooled, depths),
    }


def _ranks(
    recognizer: Recognizer, evaluation: EvaluationSet, query: str, references: frozenset[str], deepest: int
) -> dict[str, float]:
    channel = [recognizer.catalogue.channel(CHANNEL).id]
    data = (evaluation.folder / "queries" / query).read_bytes()
    decoded = decode(data, long_side=PHOTO_DETECTOR.long_side, limits=recognizer.settings.limits)[0]
    image = resize_long_side(decoded, PHOTO_DETECTOR.long_side)
    query_of_photo = Query(describe_photo(image, recognizer.model), recognizer.model.vocabulary)
    index = recognizer.index
    ranked, whole = (index.rank(query_of_photo, channel, everything=everything) for everything in (False, True))
    shortlist = index.shortlist(query_of_photo, channel, votes_depth=deepest, global_depth=deepest)
    right = [recognizer.get(CHANNEL, evaluation.identifier(r)).id for r in references]
    return {
        "union": _place(shortlist.union(), right),
        "votes": _place(shortlist.votes, right),
        "global": _place(shortlist.by_global, right),
        "geometry": place_of_right(ranked.scores, np.isin(ranked.pictures, right)),
        "ceiling": place_of_right(whole.scores, np.isin(whole.pictures, right)),
    }


def _place(ranked: Array, right: Sequence[int]) -> float:
    """1-based place of the first right picture of a list without scores; infinite where there is none."""
    hits = np.flatnonzero(np.isin(ranked, right))
    return float(hits[0] + 1) if len(hits) else np.inf


def _shares(rows: Sequence[dict[str, float]], depths: Sequence[int]) -> dict[str, Any]:
    def at(key: str, marks: Sequence[int]) -> dict[str, float]:
        places = np.array([row[key] for row in rows])
        return {str(k): round(float((places <= k).mean()), 4) if len(places) else 0.0 for k in marks}

    ceiling, geometry = at("ceiling", [10])["10"], at("geometry", AFTER_GEOMETRY)
    return {
        "queries": len(rows),
        "shortlist_recall": at("union", depths),
        "votes_recall": at("votes", depths),
        "global_recall": at("global", depths),
        "geometry_recall": geometry,
        "ceiling": ceiling,
        "quotient": round(geometry["10"] / ceiling, 4) if ceiling else None,
    }
