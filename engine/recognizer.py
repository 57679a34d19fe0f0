"""The front door: add pictures to a gallery on disk, recognise photographs of them.

with Recognizer.open(Path("data")) as recognizer:
    recognizer.add_channel("posters")
    recognizer.add("posters", "metropolis", Path("metropolis.jpg").read_bytes())
    found = recognizer.recognise(Path("photo.jpg").read_bytes(), ["posters"])
    if found.answer:
        print(found.answer.picture.identifier, found.answer.match_ratio)
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import threadpoolctl

from engine import rank
from engine.catalogue import Catalogue, Channel, Picture
from engine.catalogue.rules import CHANNEL_NAME, check_values
from engine.describe.features import describe_photo, describe_picture, pack_features
from engine.describe.keypoints import PICTURE_DETECTOR
from engine.describe.patch_model import PatchModel, RuntimeSettings
from engine.describe.query import prepare_photo
from engine.describe.records import KEYPOINTS, unpack
from engine.enrol.preparation import Described, describe_addition
from engine.errors import DataFolderLocked, InvalidValue, ModelMismatch
from engine.index import snapshot
from engine.index.embedded import Gallery
from engine.index.folder_lock import FolderLock
from engine.judge.calibration import load_calibration
from engine.recognise.answer import Match, Recognition
from engine.recognise.pipeline import PhotoSearch, Searcher
from engine.settings import EngineSettings
from engine.shortlist import votes
from engine.timing import Clock
from engine.values import resize_matrix
from engine.verify.evidence import Candidate, Looked, look, verify_all
from engine.verify.homography import project

SAVE_EVERY = 4_000
_FEATURE_VERSION = 3
"""Part of the fingerprint: raise it when stored features change their meaning."""


class Recognizer:
    """A gallery on disk and the model that reads pictures. Safe for use by many threads."""

    def __init__(self, folder: Path, settings: EngineSettings, lock: FolderLock | None) -> None:
        """Use `Recognizer.open`."""
        # The engine shares its cores out itself: the libraries' own pools would fight with each other's.
        cv2.setNumThreads(1)
        threadpoolctl.threadpool_limits(1)
        self.folder, self.settings, self._lock = folder, settings, lock
        self.model = PatchModel(RuntimeSettings(model=settings.model, providers=settings.providers))
        self.calibration = load_calibration(settings.calibration)
        self.default_threshold = (
            self.calibration.threshold if settings.default_threshold is None else settings.default_threshold
        )
        self.catalogue = Catalogue(folder)
        self.gallery = Gallery(self.catalogue, self.model.vocabulary, settings)
        self._saving = threading.Lock()
        self._saver: threading.Thread | None = None
        self.searcher = Searcher(self.catalogue, self.gallery, self.model, self.calibration, settings)

    @classmethod
    def open(cls, folder: Path, settings: EngineSettings | None = None, *, hold: bool = True) -> Recognizer:
        """Opens or makes the gallery in `folder`. With `hold` this process becomes the one that saves and
        merges indexes; raises DataFolderLocked where another is, ModelMismatch where the gallery was
        filled by another model."""
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder) if hold else None
        try:
            recognizer = cls(folder, settings or EngineSettings(), lock)
            recognizer.check_fingerprint()
            if hold:
                snapshot.forget_if_mostly_removed(folder)
            snapshot.load(recognizer.gallery, folder)
            recognizer.gallery.refresh()
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return recognizer

    @classmethod
    def open_shared(cls, folder: Path, settings: EngineSettings | None = None) -> Recognizer:
        """As holder where there is none, else beside it."""
        try:
            return cls.open(folder, settings)
        except DataFolderLocked:
            return cls.open(folder, settings, hold=False)

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Saves the indexes (holder only) and releases the folder."""
        if self._lock is not None:
            self.checkpoint()
        if self._saver is not None:
            self._saver.join()
        self.gallery.close()
        self.searcher.close()
        self.catalogue.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def checkpoint(self) -> None:
        """Saves the indexes, so that the next start need not replay the log; the holder's to do."""
        self.gallery.refresh()
        if self._lock is not None:
            with self._saving:
                snapshot.save(self.gallery, self.folder)

    def _save_sometimes(self) -> None:
        """A save in the background after every SAVE_EVERY additions, so that memory holds few records of its
        own and a start after a crash replays few."""
        new = self.gallery.table.count - len(self.gallery.table.arrays[0])
        if self._lock is not None and new >= SAVE_EVERY and (self._saver is None or not self._saver.is_alive()):
            self._saver = threading.Thread(target=self.checkpoint, name="index-saver")
            self._saver.start()

    def warm_up(self) -> None:
        """Compiles the kernels and runs the network once, so that no user's request has to."""
        rng = np.random.default_rng(0)
        blocks = rng.integers(0, 255, (60, 45, 3), np.uint8)
        image = cv2.resize(blocks, (480, 640), interpolation=cv2.INTER_NEAREST)
        features = describe_photo(image, self.model)
        rows = pack_features(describe_picture(image, self.model), self.model)
        record = np.zeros((1, KEYPOINTS, 2), np.uint64)
        record[0, : len(rows)] = rows
        slots, counts = np.zeros(1, np.int64), np.array([len(rows)], np.int32)
        rank.rank(self.searcher.index_photo(features), record, record[:0], slots, counts)
        vocabulary = self.model.vocabulary
        words = vocabulary.nearest_words(features.descriptors, half_bits=7, count=5)
        votes.warm_up(record, counts, words, vocabulary.signatures(features.descriptors))
        candidate = Candidate(0, 0, 1.0, rows, (360, 480))
        for verified in verify_all(prepare_photo(features, self.model.vocabulary), [candidate]):
            look(verified, image, image)

    def check_fingerprint(self) -> None:
        """Raises ModelMismatch; a gallery without a fingerprint takes this one."""
        stored = self.catalogue.read_meta("fingerprint")
        if stored is None:
            self.catalogue.write_meta("fingerprint", self.fingerprint)
        elif stored != self.fingerprint:
            raise ModelMismatch(stored, self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """Of the model and of what decides the meaning of stored features."""
        facts = (_FEATURE_VERSION, PICTURE_DETECTOR)
        return f"{self.model.fingerprint}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:8]}"

    # The gallery

    def add_channel(self, name: str) -> Channel:
        """Raises InvalidValue, ChannelExists."""
        if not CHANNEL_NAME.fullmatch(name):
            raise InvalidValue("channel", "1 to 64 of A-Z a-z 0-9 @ _ . -")
        return self.catalogue.add_channel(name)

    def add(
        self,
        channel: str,
        identifier: str,
        image: bytes,
        *,
        metadata: str = "",
        threshold: float | None = None,
        active: bool = True,
        facts: dict[str, Any] | None = None,
        uuid: str | None = None,
    ) -> Picture:
        """Adds a picture; durable and findable when this returns. uuid: its own, where the caller has drawn one.

        Raises InvalidValue, ChannelNotFound, IdentifierTaken, QuotaExceeded, StorageFull, and the
        ImageErrors, TooFewFeatures among them.
        """
        check_values(identifier=identifier, metadata=metadata, threshold=threshold)
        self.catalogue.check_room(channel, identifier)
        described = self.describe(image)
        picture = self.catalogue.add_picture(
            channel,
            identifier,
            described.features,
            level=described.level,
            size=described.size,
            keypoints=described.keypoints,
            metadata=metadata,
            threshold=threshold,
            active=active,
            facts=facts,
            uuid=uuid,
        )
        self.gallery.refresh()
        self._save_sometimes()
        return picture

    def replace(self, channel: str, identifier: str, image: bytes, **changes: Any) -> Picture:
        """Another image for a picture that keeps its identifier and UUID, and changes of metadata, threshold,
        active or facts with it. Raises InvalidValue, ChannelNotFound, PictureNotFound, StorageFull and the
        ImageErrors."""
        check_values(identifier=None, metadata=changes.get("metadata", ""), threshold=changes.get("threshold"))
        described = self.describe(image)
        picture = self.catalogue.replace_picture(
            channel,
            identifier,
            described.features,
            level=described.level,
            size=described.size,
            keypoints=described.keypoints,
            **changes,
        )
        self.gallery.refresh()
        self._save_sometimes()
        return picture

    def describe(self, image: bytes, *, trim: bool = True) -> Described:
        """What `add` would store of an image. trim: False for a kept rendition, whose margins are gone already.
        Raises the ImageErrors, TooFewFeatures among them."""
        return describe_addition(image, self.model, self.settings, trim=trim)

    def remove(self, channel: str, identifier: str) -> bool:
        """Whether there was one. It is never an answer again. Raises ChannelNotFound."""
        removed = self.catalogue.remove_picture(channel, identifier)
        self.gallery.refresh()
        return removed

    def update(self, channel: str, identifier: str, /, **changes: Any) -> Picture:
        """Changes metadata, threshold, active, facts or identifier. Raises InvalidValue, ChannelNotFound,
        PictureNotFound, IdentifierTaken."""
        check_values(
            identifier=changes.get("identifier"),
            metadata=changes.get("metadata", ""),
            threshold=changes.get("threshold"),
        )
        picture = self.catalogue.update_picture(channel, identifier, **changes)
        self.gallery.refresh()
        return picture

    def get(self, channel: str, identifier: str) -> Picture:
        """Raises ChannelNotFound, PictureNotFound."""
        return self.catalogue.picture(channel, identifier)

    def list(self, channel: str, *, offset: int = 0, limit: int = 100) -> list[Picture]:
        """By identifier. Raises ChannelNotFound."""
        return self.catalogue.pictures(channel, offset=offset, limit=limit)

    def info(self) -> dict[str, Any]:
        """Counts, sizes and states, for people and for metrics."""
        self.gallery.refresh()
        segments = {n: [s.pictures for s in shard.segments] for n, shard in self.gallery.shards.items()}
        return {
            "channels": self.catalogue.counts(),
            "pictures": int(sum(self.gallery.sizes.values())),
            "model": self.fingerprint,
            "default_threshold": self.default_threshold,
            "memory_bytes": self.gallery.memory(),
            "disk_bytes": snapshot.bytes_in(self.folder),
            "segments": segments,
            "tail": {n: len(shard.tail) for n, shard in self.gallery.shards.items()},
            "log_position": self.gallery.seq,
            "holder": self._lock is not None,
        }

    # Recognition

    def recognise(self, photo: bytes, channels: Sequence[str | Channel], *, k: int = 1) -> Recognition:
        """Which picture of the channels the photo shows. channels: names, which are looked up, or Channels that the
        catalogue has given.

        Raises ChannelNotFound and the ImageErrors; TooFewFeatures for a photo without structure.
        """
        clock = Clock()
        numbers = self._numbers(channels)
        self.gallery.refresh()
        search, found = self.searcher.examine(photo, numbers, clock)
        with clock.stage("judge"):
            ranked = self.searcher.judge(found, search.image)
        with clock.stage("answer"):
            results = self._matches(ranked[: max(k, 1)], search)
        accepted = results[0] if results and results[0].accepted else None
        return Recognition(
            answer=accepted, results=tuple(results[:k]), timings_ms=clock.milliseconds, photo_size=search.size
        )

    def similar(self, image: bytes, channels: Sequence[str | Channel], *, k: int = 10) -> Recognition:
        """Active pictures of the channels that are the same as the image's, or nearly: each is judged by itself,
        because look-alikes do not compete for being similar. A Match is `accepted` where its ratio reaches
        `EngineSettings.similar_threshold`; `answer` is the best of them.

        Raises ChannelNotFound and the ImageErrors, TooFewFeatures among them.
        """
        clock = Clock()
        numbers = self._numbers(channels)
        self.gallery.refresh()
        search, found = self.searcher.examine(image, numbers, clock)
        with clock.stage("judge"):
            ratios = [self.calibration.match_ratio(self.calibration.pair_logit(one.figures), None) for one in found]
            ranked = sorted(zip(found, ratios, strict=True), key=lambda pair: -pair[1])
        with clock.stage("answer"):
            threshold = self.settings.similar_threshold
            results = [
                dataclasses.replace(match, accepted=match.match_ratio >= threshold)
                for match in self._matches(ranked[:k], search)
            ]
        answer = results[0] if results and results[0].accepted else None
        return Recognition(answer=answer, results=tuple(results), timings_ms=clock.milliseconds, photo_size=search.size)

    def _numbers(self, channels: Sequence[str | Channel]) -> Sequence[int]:
        """Numbers of the channels, each once; the names among them are looked up together."""
        known = [channel.id for channel in channels if isinstance(channel, Channel)]
        return [*dict.fromkeys([*known, *self.catalogue.channel_numbers([c for c in channels if isinstance(c, str)])])]

    def _matches(self, ranked: Sequence[tuple[Looked, float]], search: PhotoSearch) -> Sequence[Match]:
        pictures = self.catalogue.pictures_by_id([one.verified.candidate.picture_id for one, _ in ranked])
        to_full = resize_matrix(search.features.size, search.size)
        matches = []
        for one, ratio in ranked:
            verified = one.verified
            picture = pictures.get(verified.candidate.picture_id)
            if picture is None:  # removed while this photo was being recognised
                continue
            width, height = verified.candidate.size
            H = to_full @ verified.geometry.H_picture_to_photo
            corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
            threshold = self.default_threshold if picture.threshold is None else picture.threshold
            seen = search.features.keypoints.xy[verified.geometry.photo_rows]
            stored = unpack(verified.candidate.rows)[0][verified.geometry.picture_rows]
            matches.append(
                Match(
                    picture=picture,
                    match_ratio=round(ratio, 2),
                    quad=project(H, corners).astype(np.float32),
                    inliers=len(seen),
                    accepted=ratio >= threshold,
                    figures=one.figures,
                    points=np.stack([project(to_full, seen), stored], 1).astype(np.float32),
                )
            )
        return matches
