"""A photo's path: decode, describe, shortlist, rank, verify, look; what it shows is then judged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.catalogue import Catalogue
from engine.describe.features import LocalFeatures, describe_clearly, describe_photo
from engine.describe.keypoints import CLOSER_DETECTOR, DISTANT_DETECTOR, PHOTO_DETECTOR, DetectorSettings
from engine.describe.orb_bits import BYTES
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import frame_size
from engine.detail import what_lacks, working_side
from engine.errors import TooFewFeatures
from engine.image import EncodedImage, resize_long_side
from engine.index.embedded import EmbeddedIndex
from engine.index.ranking import Ranking
from engine.judge.calibration import Calibration
from engine.judge.decision import best_logit
from engine.recognise.frames import Frames
from engine.recognise.kept_pictures import KeptPictures
from engine.recognise.second_look import SecondLook, second_look
from engine.settings import EngineSettings
from engine.timing import Clock
from engine.values import ColorImage
from engine.verify.evidence import Candidate, Evidence, add_appearance, verify_all
from engine.verify.prints import Comparator

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
    ) -> Examination:
        """Everything but the judgement. A second look follows where the first finds nothing that comes near to an
        answer and `second_look` says that it may. detectors: as in LOOKS; without: numbers of pictures that are not
        seen; frames: of the client that sends the photo, where one that resembles a frame just missed is not looked at
        twice. Raises the ImageErrors, TooFewFeatures among them."""
        with clock.stage("decode"):
            encoded = EncodedImage(photo, limits=self._settings.limits)
        of_first, of_distant, of_closer = detectors
        first = self._look(encoded, channels, of_first, clock, closer=False, without=without)
        score = best_logit(first.found, self._calibration)
        if not self._settings.second_look or score >= 0:
            return first
        kind = second_look(first.ranking, first.found)
        if kind is SecondLook.NONE or (frames is not None and frames.resembles(first.query.global_vectors[0])):
            return first
        closer = kind is SecondLook.CLOSER
        try:
            second = self._look(
                encoded, channels, of_closer if closer else of_distant, clock, closer=closer, without=without
            )
        except TooFewFeatures:  # a blurred photo has none on the finest levels
            second = first
        reached = best_logit(second.found, self._calibration)
        if frames is not None and reached < 0:
            frames.missed(first.query.global_vectors[0])
        return second if reached > score else first

    def _look(
        self,
        photo: EncodedImage,
        channels: Sequence[int],
        detector: DetectorSettings,
        clock: Clock,
        *,
        closer: bool,
        without: Collection[int],
    ) -> Examination:
        """closer: windows of the photo are searched too, and both lists are read twice as deep."""
        image, features = self.describe(photo, detector, clock)
        return self.search(image, photo.size, features, channels, clock, closer=closer, without=without)

    def describe(
        self, photo: EncodedImage, detector: DetectorSettings, clock: Clock
    ) -> tuple[ColorImage, LocalFeatures]:
        """The photo at the detector's working size, and its keypoints. Raises the ImageErrors, TooFewFeatures among
        them."""
        settings = self._settings
        with clock.stage("decode"):
            side = working_side(photo.size, detector.long_side)
            image = resize_long_side(photo.pixels(side), side)
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
        photo_size: tuple[int, int],
        features: LocalFeatures,
        channels: Sequence[int],
        clock: Clock,
        *,
        closer: bool,
        without: Collection[int] = (),
    ) -> Examination:
        """What keypoints of a photo, or some of them, find. image: the photo at the working size; closer: as for the
        closer look."""
        settings = self._settings
        query = Query(features, self._model.vocabulary, windows=closer, min_keypoints=settings.min_keypoints)
        ranking = self._index.rank(query, channels, deeper=2 if closer else 1, without=without, clock=clock)
        with clock.stage("verify"):
            found = verify_all(query, self._candidates(ranking), pool=self._pool)
        with clock.stage("look"):
            found = self._look_at(found, image)
        return Examination(image, photo_size, query, ranking, found)

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
        look = partial(add_appearance, photo=image, model=self._model, comparator=self._comparator)
        return list((map if self._pool is None else self._pool.map)(look, first, kept))
