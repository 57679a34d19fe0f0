"""The front door: add pictures to a gallery on disk, recognise photographs of them.

with Recognizer.open(Path("data")) as recognizer:
    recognizer.add_channel("posters")
    recognizer.add("posters", "metropolis", Path("metropolis.jpg").read_bytes())
    found = recognizer.recognise(Path("photo.jpg").read_bytes(), ["posters"])
    if found.answer:
        print(found.answer.picture.identifier, found.answer.match_ratio)
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import weakref
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack

from engine.catalogue import Catalogue, Channel, Picture, PictureChanges
from engine.catalogue.rules import check_channel_name, check_values
from engine.describe.features import feature_fingerprint
from engine.describe.keypoints import DetectorSettings
from engine.describe.patch_model import PatchModel
from engine.enrol.preparation import PreparedPicture, prepare_picture
from engine.errors import DataFolderLocked, ModelMismatch, PictureNotFound, ReadOnlyData, TooFewFeatures
from engine.image import EncodedImage
from engine.index import snapshot
from engine.index.embedded import EmbeddedIndex
from engine.index.folder_lock import SERVER, FolderLock, wait_until_shared
from engine.index.heir import Heir
from engine.index.keeper import IndexKeeper
from engine.judge.calibration import load_calibration
from engine.judge.decision import judge, judge_alone
from engine.recognise.answer import Match, Recognition, make_matches
from engine.recognise.explain import explained
from engine.recognise.frames import Frames
from engine.recognise.one_picture import unstored
from engine.recognise.pipeline import LOOKS, Examination, Pipeline
from engine.recognise.several import find_several
from engine.recognise.warm_up import warm_up
from engine.settings import EngineSettings
from engine.threads import one_thread_each
from engine.timing import Clock
from engine.verify.evidence import Evidence
from engine.verify.prints import Comparator

_log = logging.getLogger(__name__)


class Recognizer:
    """A gallery on disk and the model that reads pictures. Safe for use by many threads.

    Opening one changes nothing in the process: while a call works, the libraries' own thread pools are held still
    (`engine.threads.one_thread_each`), then they have what they had before.
    """

    def __init__(
        self, folder: Path, settings: EngineSettings, lock: FolderLock | None, *, read_only: bool = False
    ) -> None:
        """Use `Recognizer.open`."""
        self.folder, self.settings = folder, settings
        self.model = PatchModel(settings.model, providers=settings.providers)
        self._comparator = Comparator(settings.comparator, providers=settings.providers)
        self.calibration = load_calibration(settings.calibration)
        self.default_threshold = (
            self.calibration.threshold if settings.default_threshold is None else settings.default_threshold
        )
        self.catalogue = Catalogue(folder, read_only=read_only)
        self._pool = (
            ThreadPoolExecutor(settings.threads, thread_name_prefix="recognise") if settings.threads > 1 else None
        )
        self._heir: Heir | None = None
        self._only: FolderLock | None = None
        self._before: weakref.ref[EmbeddedIndex] | None = None
        self._keeper, self._searched = self._index_with(lock)

    def _index_with(self, lock: FolderLock | None) -> tuple[IndexKeeper, tuple[EmbeddedIndex, Pipeline]]:
        """An empty index with what keeps it and what searches it."""
        index = EmbeddedIndex(self.catalogue, self.model.vocabulary, self.settings, pool=self._pool)
        pipeline = Pipeline(
            self.catalogue, index, self.model, self._comparator, self.calibration, self.settings, pool=self._pool
        )
        return IndexKeeper(index, self.folder, lock), (index, pipeline)

    @classmethod
    def open(
        cls, folder: Path, settings: EngineSettings | None = None, *, hold: bool = True, read_only: bool = False
    ) -> Recognizer:
        """Opens or makes the gallery in `folder`. With `hold` this process becomes the one that saves and
        merges indexes; raises DataFolderLocked where another is, ModelMismatch where the gallery was
        filled by another model, ReadOnlyData where nothing may be written there. read_only: without `hold` alone; every
        change is refused with ReadOnlyData, as it is without asking where nothing may be written."""
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            lock = FolderLock(folder, shares=True) if hold and not read_only else None
            if lock is not None:
                opened.callback(lock.release)
            recognizer = cls(folder, settings or EngineSettings(), lock, read_only=read_only)
            opened.callback(recognizer.catalogue.close)
            opened.callback(recognizer.index.close)
            if lock is not None and recognizer.catalogue.read_only:
                raise ReadOnlyData(str(folder), "this process cannot hold the folder")
            recognizer.check_fingerprint()
            recognizer._keeper.load()
            opened.pop_all()
        return recognizer

    @classmethod
    def open_shared(cls, folder: Path, settings: EngineSettings | None = None) -> Recognizer:
        """As holder where there is none and it may write, else beside it, or only to read."""
        try:
            return cls.open(folder, settings)
        except (DataFolderLocked, ReadOnlyData):
            return cls.open(folder, settings, hold=False)

    @classmethod
    def open_lasting(cls, folder: Path, settings: EngineSettings | None = None) -> Recognizer:
        """For a process that stays and of which a folder has one: the server.

        Waits until no process needs the folder for itself alone (a restore, a reindexing); beside one that does not (an
        import, a search) it works at once, and takes the folder over when that ends. The log says both. Raises
        DataFolderLocked where there is such a process already, ReadOnlyData, ModelMismatch."""
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            only = FolderLock(folder, name=SERVER)
            opened.callback(only.release)
            wait_until_shared(folder, lambda: _log.warning("waiting for the process that has %s for itself", folder))
            recognizer = cls.open_shared(folder, settings)
            recognizer._only = only
            opened.pop_all()
        if recognizer.catalogue.read_only:
            recognizer.close()
            raise ReadOnlyData(str(folder), "this process cannot hold the folder")
        if recognizer.take_over():
            _log.warning("an import or another command holds %s; this process takes over when it ends", folder)
        return recognizer

    @property
    def index(self) -> EmbeddedIndex:
        """What is searched. Another one takes its place where this process takes the folder over."""
        return self._searched[0]

    def take_over(self) -> bool:
        """Beside a holder: becomes the holder, from a thread of its own, when that one ends; searches and changes go on
        meanwhile. Gives whether there is anything to wait for."""
        if self._keeper.holds or self.catalogue.read_only:
            return False
        if self._heir is None:
            self._heir = Heir(self.folder, self._hold)
        return True

    def _hold(self, lock: FolderLock) -> None:
        """Goes on with what the holder has saved at its end. The index of before has other slots than those files: to
        save it would write over rows that they name."""
        self.check_fingerprint()
        keeper, searched = self._index_with(lock)
        keeper.load()
        # Not closed at once: a search may be at work on it.
        self._before = weakref.ref(self.index)
        self._keeper, self._searched = keeper, searched

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Saves the indexes (holder only) and releases the folder. Raises StorageFull where they cannot be saved;
        everything is closed all the same."""
        with contextlib.ExitStack() as closing:  # the last one first
            if self._only is not None:
                closing.callback(self._only.release)
            closing.callback(lambda: self._keeper.release())
            closing.callback(self.catalogue.close)
            if self._pool is not None:
                closing.callback(self._pool.shutdown)
            closing.callback(self._close_indexes)
            if self._heir is not None:
                closing.callback(self._heir.close)

    def _close_indexes(self) -> None:
        if self._before is not None and (before := self._before()) is not None:
            before.close()
        self._keeper.close()

    def checkpoint(self) -> None:
        """Saves the indexes, so that the next start need not replay the log; the holder's to do."""
        self._keeper.save()

    def warm_up(self) -> None:
        """Compiles the kernels and runs the network once, so that no user's request has to."""
        with one_thread_each():
            warm_up(self.model, self._comparator)

    def check_fingerprint(self) -> None:
        """Raises ModelMismatch; a gallery without a fingerprint takes this one."""
        stored = self.catalogue.read_meta("fingerprint")
        if stored is None:
            if not self.catalogue.read_only:  # where it is, nothing was ever added
                self.catalogue.write_meta("fingerprint", self.fingerprint)
        elif stored != self.fingerprint:
            raise ModelMismatch(stored, self.fingerprint)
        self.catalogue.fingerprint = self.fingerprint

    @property
    def fingerprint(self) -> str:
        """Identifies the model and what decides the meaning of stored features."""
        return f"{self.model.fingerprint}-{feature_fingerprint()}"

    # The gallery. Channels and pictures are given by name, or as what was looked up: then it is these that change, or
    # none (`Catalogue` says how).

    def add_channel(self, name: str) -> Channel:
        """Raises InvalidValue, ChannelExists."""
        check_channel_name(name)
        return self.catalogue.add_channel(name)

    def add(
        self,
        channel: str | Channel,
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
        self._check_writable()
        self.catalogue.check_room(channel, identifier)
        prepared = self.describe(image)
        picture = self.catalogue.add_picture(
            channel,
            identifier,
            prepared.features,
            level=prepared.level,
            size=prepared.size,
            keypoints=prepared.keypoints,
            metadata=metadata,
            threshold=threshold,
            active=active,
            facts=facts,
            uuid=uuid,
        )
        self.index.refresh()
        self._keeper.save_if_due()
        return picture

    def replace(
        self, channel: str | Channel, picture: str | Picture, /, image: bytes, **changes: Unpack[PictureChanges]
    ) -> Picture:
        """Another image for a picture that keeps its UUID, and changes of its identifier, metadata, threshold, active
        or facts with it. Raises InvalidValue, ChannelNotFound, PictureNotFound, IdentifierTaken, StorageFull and the
        ImageErrors."""
        _check_changes(changes)
        self._check_writable()
        prepared = self.describe(image)
        replaced = self.catalogue.replace_picture(
            channel,
            picture,
            prepared.features,
            level=prepared.level,
            size=prepared.size,
            keypoints=prepared.keypoints,
            **changes,
        )
        self.index.refresh()
        self._keeper.save_if_due()
        return replaced

    def describe(self, image: bytes, *, trim: bool = True) -> PreparedPicture:
        """What `add` would store of an image. trim: False for a kept rendition, whose margins are gone already.
        Raises the ImageErrors, TooFewFeatures among them."""
        with one_thread_each():
            return prepare_picture(image, self.model, self.settings, trim=trim)

    def _check_writable(self) -> None:
        """Before a picture is described for nothing. Raises ReadOnlyData."""
        if self.catalogue.read_only:
            raise ReadOnlyData(str(self.folder))

    def remove(self, channel: str | Channel, picture: str | Picture) -> bool:
        """Whether there was one. It is never an answer again. Raises ChannelNotFound."""
        removed = self.catalogue.remove_picture(channel, picture)
        self.index.refresh()
        return removed

    def update(self, channel: str | Channel, picture: str | Picture, /, **changes: Unpack[PictureChanges]) -> Picture:
        """Changes metadata, threshold, active, facts or identifier. Raises InvalidValue, ChannelNotFound,
        PictureNotFound, IdentifierTaken; TypeError for another field."""
        _check_changes(changes)
        changed = self.catalogue.update_picture(channel, picture, **changes)
        self.index.refresh()
        return changed

    def get(self, channel: str, identifier: str) -> Picture:
        """Raises ChannelNotFound, PictureNotFound."""
        return self.catalogue.picture(channel, identifier)

    def list(self, channel: str, *, offset: int = 0, limit: int = 100) -> list[Picture]:
        """By identifier. Raises ChannelNotFound."""
        return self.catalogue.pictures(channel, offset=offset, limit=limit)

    def info(self) -> dict[str, Any]:
        """Counts, sizes and states, for people and for metrics."""
        self.index.refresh()
        shards = self.index.describe()
        return {
            "channels": self.catalogue.counts(),
            "pictures": self.index.pictures,
            "model": self.fingerprint,
            "default_threshold": self.default_threshold,
            "memory_bytes": self.index.memory(),
            "disk_bytes": snapshot.bytes_in(self.folder),
            "segments": {n: [segment["pictures"] for segment in shard["segments"]] for n, shard in shards.items()},
            "tail": {number: shard["tail"] for number, shard in shards.items()},
            "log_position": self.index.seq,
            "saved_log_position": snapshot.saved_position(self.folder),
            "holder": self._keeper.holds,
        }

    # Recognition

    def recognise(
        self,
        photo: bytes,
        channels: Sequence[str | Channel],
        *,
        k: int = 1,
        frames: Frames | None = None,
        mirrored: bool = False,
    ) -> Recognition:
        """Which picture of the channels the photo shows. channels: names, which are looked up, or Channels that the
        catalogue has given; k: most results; frames: one object for all photos of one camera, in these channels, spares
        the second look at frames that resemble one just missed; mirrored: where there is no answer, the photo's mirror
        image is asked, too, as a camera that faces its user may send it.

        Raises ChannelNotFound and the ImageErrors; TooFewFeatures for a photo without structure.
        """
        clock = Clock()
        found = self._recognised(photo, channels, clock, k=k, frames=frames)
        if mirrored and found.answer is None:
            with contextlib.suppress(TooFewFeatures):  # it may have one keypoint fewer
                other = self._recognised(photo, channels, clock, k=k, mirrored=True)
                found = other if other.answer is not None else found
        return dataclasses.replace(found, timings_ms=clock.milliseconds)

    def _recognised(
        self,
        photo: bytes,
        channels: Sequence[str | Channel],
        clock: Clock,
        *,
        k: int,
        frames: Frames | None = None,
        mirrored: bool = False,
    ) -> Recognition:
        """mirrored: the photo's mirror image alone is asked."""
        examined = self.examine(photo, channels, clock=clock, frames=frames, mirrored=mirrored)
        with clock.stage("judge"):
            ranked = self.judge(examined)
        with clock.stage("answer"):
            results = self._matches(ranked[: max(k, 1)], examined)
        accepted = results[0] if results and results[0].accepted else None
        return Recognition(
            answer=accepted,
            results=tuple(results[:k]),
            timings_ms=clock.milliseconds,
            photo_size=examined.photo_size,
            mirrored=mirrored,
        )

    def compare(self, picture: PreparedPicture | Picture, photo: bytes) -> Recognition:
        """Whether a photo, or another picture, shows this one: judged as in a gallery that holds it alone. picture: as
        `describe` gives it, or one of this gallery, active or not; `answer` is None where it is not surely the same.

        Raises PictureNotFound where the picture was removed meanwhile, and the ImageErrors, TooFewFeatures among them.
        """
        clock, pipeline = Clock(), self._searched[1]
        one = pipeline.stored(picture) if isinstance(picture, Picture) else unstored(picture)
        with one_thread_each():
            examined = pipeline.compare(one, photo, clock)
        with clock.stage("judge"):
            ranked = self.judge(examined)
        with clock.stage("answer"):
            results = self._as_matches(ranked, examined, {one.facts.id: one.facts})
        return Recognition(
            answer=results[0] if results and results[0].accepted else None,
            results=tuple(results),
            timings_ms=clock.milliseconds,
            photo_size=examined.photo_size,
        )

    def recognise_several(self, photo: bytes, channels: Sequence[str | Channel], *, most: int = 10) -> Recognition:
        """Every picture of the channels that the photo shows: `results` are answers, each of a place of its own, best
        first; `answer` is the first of them. Look-alikes and copies compete for a place as they do for a photo. The
        photo is described once, as in the closer look, and searched again without what was found until nothing more
        is, or `most` are. channels and errors: as for `recognise`."""
        clock = Clock()
        numbers = self._numbers(channels)
        index, pipeline = self._searched
        index.refresh()
        encoded = EncodedImage(photo, limits=self.settings.limits)

        def answered(place: Sequence[Evidence], examined: Examination) -> Match | None:
            with clock.stage("judge"):
                ranked = judge(place, examined.image, self.calibration, pool=self._pool)
            with clock.stage("answer"):
                matches = self._matches(ranked[:1], examined)
            return matches[0] if matches and matches[0].accepted else None

        with one_thread_each():
            results = find_several(pipeline, encoded, numbers, clock, answered=answered, most=most)
        return Recognition(
            answer=results[0] if results else None,
            results=results,
            timings_ms=clock.milliseconds,
            photo_size=encoded.size,
        )

    def similar(self, image: bytes, channels: Sequence[str | Channel], *, k: int = 10) -> Recognition:
        """Active pictures of the channels that are the same as the image's, or nearly: each is judged by itself,
        because look-alikes do not compete for being similar. A Match is `accepted` where its ratio reaches
        `EngineSettings.similar_threshold`; `answer` is the best of them.

        Raises ChannelNotFound and the ImageErrors, TooFewFeatures among them.
        """
        clock, threshold = Clock(), self.settings.similar_threshold
        examined = self.examine(image, channels, clock=clock)
        with clock.stage("judge"):
            ranked = judge_alone(examined.found, self.calibration)
        with clock.stage("answer"):
            matches = self._matches(ranked[:k], examined)
            results = tuple(dataclasses.replace(m, accepted=m.match_ratio >= threshold) for m in matches)
        answer = results[0] if results and results[0].accepted else None
        return Recognition(
            answer=answer, results=results, timings_ms=clock.milliseconds, photo_size=examined.photo_size
        )

    def explain(self, photo: bytes, match: Match, *, picture: PreparedPicture | None = None) -> bytes:
        """PNG of `match`, which `recognise` or `compare` found in `photo`: both side by side with the matches and the
        outline. picture: as it was compared, where it is of no gallery. Raises PictureNotFound where the picture was
        removed meanwhile."""
        if picture is not None:
            kept = picture.features.jpeg
        elif match.picture.id in self.catalogue.pictures_by_id([match.picture.id]):
            kept = self.catalogue.rendition(match.picture.id)
        else:
            raise PictureNotFound(match.picture.channel, match.picture.identifier)
        return explained(photo, match, kept, limits=self.settings.limits)

    # The level beneath, for who measures

    def examine(
        self,
        photo: bytes,
        channels: Sequence[str | Channel],
        *,
        clock: Clock | None = None,
        detectors: tuple[DetectorSettings, DetectorSettings, DetectorSettings] = LOOKS,
        without: Collection[int] = (),
        frames: Frames | None = None,
        mirrored: bool = False,
    ) -> Examination:
        """Everything but the judgement: what the photo was searched with, the ranking, and the verified candidates.
        detectors: of the first look, then of the two of which one may follow; without: numbers of pictures that the
        search does not see, as if they were not in the gallery; frames: as for `recognise`; mirrored: the photo's
        mirror image is looked at instead. Raises what `recognise` does."""
        numbers = self._numbers(channels)
        index, pipeline = self._searched  # at one moment: the pipeline searches the index that is refreshed here
        index.refresh()
        with one_thread_each():
            return pipeline.examine(
                photo,
                numbers,
                clock or Clock(),
                detectors=detectors,
                without=without,
                frames=frames,
                mirrored=mirrored,
            )

    def judge(self, examined: Examination) -> Sequence[tuple[Evidence, float]]:
        """The verified candidates with their match ratios, best first."""
        with one_thread_each():
            return judge(examined.found, examined.image, self.calibration, pool=self._pool)

    def _matches(self, ranked: Sequence[tuple[Evidence, float]], examined: Examination) -> Sequence[Match]:
        pictures = self.catalogue.pictures_by_id([evidence.candidate.picture_id for evidence, _ in ranked])
        return self._as_matches(ranked, examined, pictures)

    def _as_matches(
        self, ranked: Sequence[tuple[Evidence, float]], examined: Examination, pictures: Mapping[int, Picture]
    ) -> Sequence[Match]:
        return make_matches(ranked, examined, pictures, threshold=self.default_threshold, calibration=self.calibration)

    def _numbers(self, channels: Sequence[str | Channel]) -> Sequence[int]:
        """Numbers of the channels, each once; the names among them are looked up together."""
        known = [channel.id for channel in channels if isinstance(channel, Channel)]
        names = [name for name in channels if isinstance(name, str)]
        return [*dict.fromkeys([*known, *(self.catalogue.channel_numbers(names) if names else ())])]


def _check_changes(changes: PictureChanges) -> None:
    """Raises InvalidValue."""
    check_values(
        identifier=changes.get("identifier"),
        metadata=changes.get("metadata", ""),
        threshold=changes.get("threshold"),
    )
