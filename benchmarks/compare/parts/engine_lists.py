"""Obverse's own gallery, filled once for a comparison, and its two lists and its ranking one by one.

Pictures have the comparison's numbers outside this module; the engine's picture numbers do not leave it.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.material import ComparedPicture
from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.local_features import fingerprint
from benchmarks.sets import CHANNEL, identifier_of
from engine.describe.features import LocalFeatures
from engine.describe.keypoints import Keypoints
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.image_files import LIMITS
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.shortlist import global_index, votes
from engine.upkeep.bulk_import import Planned, Refused, add_all
from engine.values import Array, FloatArray

_FACTS = "filled.json"
"""How many pictures were added in how many seconds, which were refused, and whether all are in."""


def is_filled(folder: Path, pictures: Sequence[ComparedPicture]) -> bool:
    """Whether a gallery of just these pictures is there."""
    facts = _place(folder, _identifiers(pictures)) / _FACTS
    return facts.exists() and bool(json.loads(facts.read_text())["complete"])


def _identifiers(pictures: Sequence[ComparedPicture]) -> list[str]:
    return [identifier_of(f"{p.set}/{p.ref}/{p.sha}") for p in pictures]


def _place(folder: Path, identifiers: Sequence[str]) -> Path:
    # A kept index goes on with the presets that it was built with, so that others need a gallery of their own.
    preset = repr(votes.settings_for(len(identifiers)))
    digest = hashlib.sha256("\n".join([fingerprint(PatchModel()), preset, *identifiers]).encode()).hexdigest()
    return folder / f"gallery-{digest[:16]}"


class EngineGallery:
    """A Recognizer that holds exactly these pictures, on disk below `folder`; close it."""

    def __init__(
        self,
        folder: Path,
        pictures: Sequence[ComparedPicture],
        *,
        threads: int = 1,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        """tell: called after each picture that was added or found there."""
        identifiers = _identifiers(pictures)
        self._place = _place(folder, identifiers)
        self.recognizer = Recognizer.open(self._place, EngineSettings(limits=LIMITS, threads=threads))
        self.refused: dict[str, str] = {}
        try:
            self._fill(pictures, identifiers, threads, tell)
            self.recognizer.warm_up()
        except BaseException:  # an interruption too must give the folder free
            self.recognizer.close()
            raise
        ids = {p.identifier: p.id for p in self.recognizer.list(CHANNEL, limit=len(identifiers) + 1)}
        self._ids = np.array([ids.get(identifier, -1) for identifier in identifiers], np.int64)
        """The engine's number of each picture, -1 for those that it refused."""
        self._order = np.argsort(self._ids)

    def close(self) -> None:
        self.recognizer.close()

    def _fill(
        self, pictures: Sequence[ComparedPicture], identifiers: Sequence[str], threads: int, tell: Callable[[], None]
    ) -> None:
        recognizer, facts = self.recognizer, self._place / _FACTS
        known: dict[str, Any] = {"added": 0, "seconds": 0.0, "refused": {}, "complete": False}
        if facts.exists():
            known = json.loads(facts.read_text())
        self.refused = known["refused"]
        if CHANNEL not in recognizer.catalogue.counts():
            recognizer.add_channel(CHANNEL)
        there = recognizer.catalogue.counts()[CHANNEL]
        if not known["complete"]:
            started = time.perf_counter()
            planned = [Planned(path=p.path, identifier=i) for p, i in zip(pictures, identifiers, strict=True)]
            try:
                for item, outcome in add_all(recognizer, CHANNEL, planned, workers=threads):
                    if isinstance(outcome, Refused) and not outcome.taken:
                        self.refused[str(item.path)] = outcome.reason
                    tell()
                recognizer.index.wait_for_builds()
                known["complete"] = True
            finally:
                known["added"] += recognizer.catalogue.counts()[CHANNEL] - there
                known["seconds"] += time.perf_counter() - started
                facts.write_text(json.dumps(known))
        # Nothing was added where the program was killed after the last picture: then no speed is known.
        self.adds_per_second = known["added"] / known["seconds"] if known["added"] else math.inf

    def numbers(self, ids: Array) -> Array:
        """The comparison's numbers of the engine's."""
        return np.asarray(self._order[np.searchsorted(self._ids, ids, sorter=self._order)])

    def ids(self, count: int | None = None) -> Array:
        """The engine's numbers of the first `count` pictures, ascending."""
        mine = self._ids[:count]
        return np.sort(mine[mine >= 0])

    def query(self, photo: Arrays) -> Query:
        return Query(features_of(photo), self.recognizer.model.vocabulary)

    def rank(self, photo: Arrays, numbers: Array) -> FloatArray:
        """(C,) scores of the ranking by geometry; 0 for pictures that the engine refused."""
        return self.recognizer.index.score(self.query(photo), self._ids[numbers])

    def bytes_per_picture(self) -> float:
        index = self.recognizer.index
        return sum(index.memory().values()) / max(index.pictures, 1)


def features_of(photo: Arrays) -> LocalFeatures:
    points = Keypoints(photo["xy"], photo["scale"], photo["angle"], photo["response"])
    return LocalFeatures(points, photo["descriptors"], (int(photo["size"][0]), int(photo["size"][1])))


class VotesList:
    """Every picture is in the inverted file: none waits in a tail."""

    def __init__(self, gallery: EngineGallery) -> None:
        self._gallery = gallery
        self.build(None)

    def build(self, count: int | None) -> None:
        """Builds the list of the first `count` pictures."""
        ids = self._gallery.ids(count)
        records, keypoints, _ = self._gallery.recognizer.index.extract(ids)
        self.hold(records, keypoints, self._gallery.numbers(ids))

    def hold(self, records: Array, keypoints: Array, numbers: Array) -> None:
        """Builds the list of N pictures: records (N, 400, 2) uint64, their keypoints (N,), and the numbers by which
        they are found."""
        places, preset = np.arange(len(numbers)), votes.settings_for(len(numbers))
        self._segment = votes.build_segment(preset, places, records, records[:0], keypoints)
        self._numbers, self._everything = numbers, np.ones(len(numbers), np.uint8)

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        preset, query = self._segment.settings, self._gallery.query(photo)
        words = query.words(half_bits=preset.half_bits, count=preset.words)
        places, scores = votes.search(self._segment, words, query.signatures, self._everything, depth=k)
        return self._numbers[places], scores

    def bytes_per_picture(self) -> float:
        return self._segment.bytes / max(len(self._numbers), 1)


class GlobalList:
    """The global descriptor, 8 bits a dimension."""

    def __init__(self, gallery: EngineGallery) -> None:
        self._gallery = gallery
        self.build(None)

    def build(self, count: int | None) -> None:
        """Builds the list of the first `count` pictures."""
        ids = self._gallery.ids(count)
        self.hold(self._gallery.recognizer.index.extract(ids)[2], self._gallery.numbers(ids))

    def hold(self, vectors: Array, numbers: Array) -> None:
        """Builds the list of N pictures: vectors (N, G) int8, and the numbers by which they are found."""
        self._index = global_index.build_index(np.arange(len(numbers)), vectors)
        self._numbers, self._everything = numbers, np.ones(len(numbers), np.uint8)

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        vectors = self._gallery.query(photo).global_vectors
        places, scores = global_index.search(self._index, vectors, self._everything, depth=k)
        return self._numbers[places], scores

    def bytes_per_picture(self) -> float:
        return self._index.bytes / max(len(self._numbers), 1)
