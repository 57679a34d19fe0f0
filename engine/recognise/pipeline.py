"""A photo's path: decode, describe, shortlist, rank, verify, look; what it shows is then judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from engine.catalogue import Catalogue, Picture
from engine.describe.features import LocalFeatures, describe_clearly, describe_photo
from engine.describe.keypoints import CLOSER_DETECTOR, DISTANT_DETECTOR, PHOTO_DETECTOR, DetectorSettings
from engine.describe.orb_bits import BYTES
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import frame_size, from_bytes
from engine.detail import what_lacks, working_side
from engine.errors import PictureNotFound, TooFewFeatures
from engine.image import EncodedImage, resize_long_side
from engine.index.embedded import EmbeddedIndex
from engine.index.ranking import Ranking
from engine.judge.calibration import Calibration
from engine.judge.decision import best_logit
from engine.recognise.frames import Frames
from engine.recognise.kept_pictures import KeptPictures
from engine.recognise.one_picture import OnePicture
from engine.recognise.second_look import SecondLook, second_look
from engine.settings import EngineSettings
from engine.timing import Clock
from engine.values import ColorImage
from engine.verify.evidence import Candidate, Evidence, add_appearance, verify_all
from engine.verify.prints import Comparator
from engine.verify.reference import Reference

LOOKS = (PHOTO_DETECTOR, DISTANT_DETECTOR, CLOSER_DETECTOR)
"""Detectors of the first look at a photo, then of the two of which one may follow: distant and closer."""
HOPELESS = 3.5
"""Score of the ranking up to which a candidate is not verified: four or five matches that agree. The least of 347 right
answers on the fit half was 6.3 (docs/decisions/0015)."""


@dataclass(frozen=True, eq=False)
class Examination:
    """A photo as the look saw it that came nearer to an answer, and what that look found."""

    image: ColorImage
    """RGB at the working size."""
    photo_size: tuple[int, int]
    """Width and height of the full, upright photo."""
    query: Query
    ranking: Ranking
    found: list[Evidence]
    """Verified candidates, most inliers first."""
    mirrored: bool = False
    """Whether it is the photo's mirror image that was looked at."""


Searched = tuple[Query, Ranking, list[Evidence]]
Search = Callable[[ColorImage, LocalFeatures, Clock, bool], Searched]
"""From the working image, its keypoints, a clock, and whether it is the closer look, to what was found of them."""


class Pipeline:
    """The stages on one gallery. Safe for use by many threads."""

    def __init__(
        self,
        catalogue: Catalogue,
        index: EmbeddedIndex,
        model: PatchModel,
        comparator: Comparator,
        calibration: Calibration,
        settings: EngineSettings,
        *,
        pool: Executor | None = None,
    ) -> None:
        """pool: threads that may share the work of one photo."""
        self._catalogue, self._index, self._model, self._comparator = catalogue, index, model, comparator
        self._calibration, self._settings, self._pool = calibration, settings, pool
        self._kept = KeptPictures(catalogue)

    def examine(
        self,
        photo: bytes,
        channels: Sequence[int],
        clock: Clock,
        *,
        detectors: tuple[DetectorSettings, DetectorSettings, DetectorSettings] = LOOKS,
        without: Collection[int] = (),
        frames: Frames | None = None,
        mirrored: bool = False,
    ) -> Examination:
        """Everything but the judgement. A second look follows where the first finds nothing that comes near to an
        answer and `second_look` says that it may. detectors: as in LOOKS; without: numbers of pictures that are not
        seen; frames: of the client that sends the photo, where one that resembles a frame just missed is not looked at
        twice; mirrored: the photo's mirror image is looked at instead. Raises the ImageErrors, TooFewFeatures among
        them."""

        def search(image: ColorImage, features: LocalFeatures, clock: Clock, closer: bool) -> Searched:
            return self.search(image, features, channels, clock, closer=closer, without=without)

        return self._examine(photo, search, clock, detectors=detectors, frames=frames, mirrored=mirrored)

    def stored(self, picture: Picture) -> OnePicture:
        """Raises PictureNotFound where it was removed meanwhile."""
        found = self._catalogue.features([picture.id])
        if not found:
            raise PictureNotFound(picture.channel, picture.identifier)
        return OnePicture(
            facts=picture,
            rows=from_bytes(found[0][3]),
            orb=self._catalogue.orb_bits([picture.id]).get(picture.id),
            reference=self._kept.get(picture.id),
        )

    def compare(self, picture: OnePicture, photo: bytes, clock: Clock) -> Examination:
        """As `examine` does, with one picture instead of a gallery."""
        matched = picture if self._settings.verifier == "orb" else replace(picture, orb=None)

        def search(image: ColorImage, features: LocalFeatures, clock: Clock, closer: bool) -> Searched:
            query = self._query(features, closer=closer)
            with clock.stage("rank"):
                ranking = matched.rank(query)
                score = float(ranking.scores[0])
            with clock.stage("verify"):
                found = verify_all(query, [matched.candidate(score)] if score > HOPELESS else [], pool=self._pool)
            with clock.stage("look"):
                found = [self._with_appearance(one, matched.reference, photo=image) for one in found]
            return query, ranking, found

        return self._examine(photo, search, clock)

    def _examine(
        self,
        photo: bytes,
        search: Search,
        clock: Clock,
        *,
        detectors: tuple[DetectorSettings, DetectorSettings, DetectorSettings] = LOOKS,
        frames: Frames | None = None,
        mirrored: bool = False,
    ) -> Examination:
        with clock.stage("decode"):
            encoded = EncodedImage(photo, limits=self._settings.limits)

        def look(detector: DetectorSettings, *, closer: bool) -> Examination:
            image, features = self.describe(encoded, detector, clock, mirrored=mirrored)
            return Examination(image, encoded.size, *search(image, features, clock, closer), mirrored)

        of_first, of_distant, of_closer = detectors
        first = look(of_first, closer=False)
        score = best_logit(first.found, self._calibration)
        if not self._settings.second_look or score >= 0:
            return first
        kind = second_look(first.ranking, first.found)
        if kind is SecondLook.NONE or (frames is not None and frames.resembles(first.query.global_vectors[0])):
            return first
        closer = kind is SecondLook.CLOSER
        try:
            second = look(of_closer if closer else of_distant, closer=closer)
        except TooFewFeatures:  # a blurred photo has none on the finest levels
            second = first
        reached = best_logit(second.found, self._calibration)
        if frames is not None and reached < 0:
            frames.missed(first.query.global_vectors[0])
        return second if reached > score else first

    def describe(
        self, photo: EncodedImage, detector: DetectorSettings, clock: Clock, *, mirrored: bool = False
    ) -> tuple[ColorImage, LocalFeatures]:
        """The photo at the detector's working size, or its mirror image, and its keypoints. Raises the ImageErrors,
        TooFewFeatures among them."""
        settings = self._settings
        with clock.stage("decode"):
            side = working_side(photo.size, detector.long_side)
            image = resize_long_side(photo.pixels(side), side)
            if mirrored:
                image = np.ascontiguousarray(image[:, ::-1])
        with clock.stage("describe"):
            orb = settings.verifier == "orb"
            image, features = describe_clearly(
                image,
                lambda seen: describe_photo(seen, self._model, detector, orb=orb, pool=self._pool),
                least=settings.min_keypoints,
            )
        if len(features.keypoints) < settings.min_keypoints:
            raise TooFewFeatures(len(features.keypoints), settings.min_keypoints, what_lacks(image))
        return image, features

    def search(
        self,
        image: ColorImage,
        features: LocalFeatures,
        channels: Sequence[int],
        clock: Clock,
        *,
        closer: bool,
        without: Collection[int] = (),
    ) -> Searched:
        """What keypoints of a photo, or some of them, find. image: the photo at the working size; closer: windows of
        the photo are searched too, and both lists are read twice as deep."""
        query = self._query(features, closer=closer)
        ranking = self._index.rank(query, channels, deeper=2 if closer else 1, without=without, clock=clock)
        with clock.stage("verify"):
            found = verify_all(query, self._candidates(ranking), pool=self._pool)
        with clock.stage("look"):
            found = self._look_at(found, image)
        return query, ranking, found

    def _query(self, features: LocalFeatures, *, closer: bool) -> Query:
        return Query(features, self._model.vocabulary, windows=closer, min_keypoints=self._settings.min_keypoints)

    def _candidates(self, ranking: Ranking) -> list[Candidate]:
        """The best of a ranking, ready to verify; hopeless ones are left out, and those that were removed meanwhile."""
        best = list(zip(ranking.pictures.tolist(), ranking.scores.tolist(), ranking.records, strict=False))
        known = self._catalogue.pictures_by_id([number for number, _, _ in best])
        bits = self._catalogue.orb_bits(list(known)) if self._settings.verifier == "orb" else {}
        result = []
        for number, score, rows in best:
            picture = known.get(number)
            if picture is not None and score > HOPELESS:
                orb = np.frombuffer(bits[number], np.uint8).reshape(-1, BYTES) if number in bits else None
                result.append(Candidate(number, score, rows, frame_size((picture.width, picture.height)), orb))
        return result

    def _look_at(self, found: Sequence[Evidence], image: ColorImage) -> list[Evidence]:
        """The first few, compared with the kept pictures: what is further behind does not answer."""
        first = found[: self._settings.compared]
        kept = [self._kept.get(one.candidate.picture_id) for one in first]
        look = partial(self._with_appearance, photo=image)
        return list((map if self._pool is None else self._pool.map)(look, first, kept))

    def _with_appearance(self, evidence: Evidence, reference: Reference | None, *, photo: ColorImage) -> Evidence:
        return add_appearance(evidence, reference, photo=photo, model=self._model, comparator=self._comparator)
