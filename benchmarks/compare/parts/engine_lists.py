"""Obverse's own gallery, filled once for a comparison, and its two lists and its ranking one by one.

Pictures have the comparison's numbers outside this module; the engine's slots do not leave it.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.material import ComparedPicture
from benchmarks.compare.parts.feature_store import Arrays
from benchmarks.compare.parts.local_features import fingerprint
from benchmarks.sets import CHANNEL, LIMITS, identifier_of
from engine import rank
from engine.describe.features import LocalFeatures
from engine.describe.keypoints import Keypoints
from engine.describe.patch_model import PatchModel
from engine.errors import IdentifierTaken, ImageError
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.shortlist import global_index, votes
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
        self.channel = [self.recognizer.catalogue.channel(CHANNEL).id]
        self._number(identifiers)

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

            def add(one: tuple[ComparedPicture, str]) -> None:
                picture, identifier = one
                try:
                    recognizer.add(CHANNEL, identifier, picture.path.read_bytes())
                except IdentifierTaken:
                    pass
                except ImageError as error:
                    self.refused[str(picture.path)] = str(error)
                tell()

            pool = ThreadPoolExecutor(threads)
            try:
                for _ in pool.map(add, zip(pictures, identifiers, strict=True)):
                    pass
                recognizer.gallery.wait_for_builds()
                known["complete"] = True
            finally:
                pool.shutdown(cancel_futures=True)  # an interruption need not wait for all pictures
                known["added"] += recognizer.catalogue.counts()[CHANNEL] - there
                known["seconds"] += time.perf_counter() - started
                facts.write_text(json.dumps(known))
        # Nothing was added where the program was killed after the last picture: then no speed is known.
        self.adds_per_second = known["added"] / known["seconds"] if known["added"] else math.inf

    def _number(self, identifiers: Sequence[str]) -> None:
        """Which slot each picture has, -1 for refused ones, and back."""
        recognizer = self.recognizer
        recognizer.gallery.refresh()
        table = recognizer.gallery.table
        ids = {p.identifier: p.id for p in recognizer.list(CHANNEL, limit=len(identifiers) + 1)}
        slots = [table.slot_of(ids[i]) if i in ids else None for i in identifiers]
        self._slots = np.array([-1 if s is None else s for s in slots], np.int64)
        self._numbers = np.full(table.count, -1, np.int64)
        self._numbers[self._slots[self._slots >= 0]] = np.flatnonzero(self._slots >= 0)

    def numbers(self, slots: Array) -> Array:
        return np.asarray(self._numbers[slots])

    def slots(self, count: int | None = None) -> Array:
        """Ascending, of the first `count` pictures."""
        mine = self._slots[:count]
        return np.sort(mine[mine >= 0])

    def rank(self, photo: Arrays, numbers: Array) -> FloatArray:
        """(C,) scores of the ranking by geometry; 0 for pictures that the engine refused."""
        table, slots = self.recognizer.gallery.table, self._slots[numbers]
        index = self.recognizer.searcher.index_photo(features_of(photo))
        scores = np.zeros(len(numbers), np.float32)
        there = slots >= 0
        scores[there] = rank.rank(index, *table.arrays, slots[there], table.keypoints)
        return scores

    def bytes_per_picture(self) -> float:
        memory = self.recognizer.gallery.memory()
        return sum(memory.values()) / max(self.recognizer.gallery.table.count, 1)


def features_of(photo: Arrays) -> LocalFeatures:
    points = Keypoints(photo["xy"], photo["scale"], photo["angle"], photo["response"])
    return LocalFeatures(points, photo["descriptors"], (int(photo["size"][0]), int(photo["size"][1])))


class VotesList:
    """Every picture is in the inverted file: none waits in a tail."""

    def __init__(self, gallery: EngineGallery) -> None:
        self._gallery, self._vocabulary = gallery, gallery.recognizer.model.vocabulary
        self.build(None)

    def build(self, count: int | None) -> None:
        """Of the first `count` pictures."""
        table, slots = self._gallery.recognizer.gallery.table, self._gallery.slots(count)
        self._segment = votes.build_segment(votes.settings_for(len(slots)), slots, *table.arrays, table.keypoints)
        self._pictures = max(len(slots), 1)

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        preset, descriptors = self._segment.settings, photo["descriptors"]
        words = self._vocabulary.nearest_words(descriptors, half_bits=preset.half_bits, count=preset.words)
        signatures = self._vocabulary.signatures(descriptors)
        table = self._gallery.recognizer.gallery.table
        slots, scores = votes.search(self._segment, words, signatures, table.visible, depth=k)
        return self._gallery.numbers(slots), scores

    def bytes_per_picture(self) -> float:
        return self._segment.bytes / self._pictures


class GlobalList:
    """The global descriptor, 8 bits a dimension."""

    def __init__(self, gallery: EngineGallery) -> None:
        self._gallery, self._vocabulary = gallery, gallery.recognizer.model.vocabulary
        self.build(None)

    def build(self, count: int | None) -> None:
        """Of the first `count` pictures."""
        slots = self._gallery.slots(count)
        self._index = global_index.build_index(slots, self._gallery.recognizer.gallery.table.vectors(slots))

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]:
        queries = self._vocabulary.global_descriptor(photo["descriptors"])[None]
        visible = self._gallery.recognizer.gallery.table.visible
        slots, scores = global_index.search(self._index, queries, visible, depth=k)
        return self._gallery.numbers(slots), scores

    def bytes_per_picture(self) -> float:
        return self._index.bytes / max(len(self._index.slots), 1)
