"""From photo bytes to verified, judged candidates: the stages between the gallery and the answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from engine import rank
from engine.catalogue import Catalogue
from engine.describe.features import LocalFeatures, describe_photo
from engine.describe.keypoints import CLOSER_DETECTOR, PHOTO_DETECTOR, PICTURE_DETECTOR, DetectorSettings
from engine.describe.orb_bits import BYTES
from engine.describe.patch_model import PatchModel
from engine.describe.query import global_queries, prepare_photo
from engine.errors import TooFewFeatures
from engine.image import decode, resize_long_side
from engine.index.embedded import Gallery
from engine.judge.calibration import FURTHEST, Calibration
from engine.judge.look_alikes import UNMET, meet
from engine.settings import EngineSettings
from engine.shortlist.lists import Shortlist
from engine.timing import Clock
from engine.values import Array, ColorImage, FloatArray
from engine.verify.evidence import Candidate, Looked, look, verify_all

LOOKED_AT = 4
"""Verified candidates whose structure and colour are compared: what is further behind does not answer."""
_CACHED_PICTURES = 64


@dataclass(frozen=True)
class PhotoSearch:
    """A described photo and its ranked candidates, before verification. image: RGB at the working size."""

    image: ColorImage
    size: tuple[int, int]
    features: LocalFeatures
    shortlist: Shortlist
    slots: Array
    scores: FloatArray


class Searcher:
    """Searches one gallery. Safe for use by many threads."""

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        model: PatchModel,
        calibration: Calibration,
        settings: EngineSettings,
    ) -> None:
        self.catalogue, self.gallery, self.model = catalogue, gallery, model
        self.calibration, self.settings = calibration, settings
        self._pool = (
            ThreadPoolExecutor(settings.threads, thread_name_prefix="recognise") if settings.threads > 1 else None
        )
        self._pictures: OrderedDict[int, ColorImage] = OrderedDict()
        self._pictures_lock = threading.Lock()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def examine(
        self,
        photo: bytes,
        channels: Sequence[int],
        clock: Clock,
        *,
        detectors: tuple[DetectorSettings, DetectorSettings] = (PHOTO_DETECTOR, CLOSER_DETECTOR),
    ) -> tuple[PhotoSearch, list[Looked]]:
        """Decodes, describes, ranks and verifies; a closer look follows where the first finds nothing that
        comes near to an answer. detectors: of the first look and of the closer one. Raises the ImageErrors."""
        search, found = self._look_once(photo, channels, detectors[0], clock, windows=False)
        if not self.needs_second_look(found):
            return search, found
        closer, more = self._look_once(photo, channels, detectors[1], clock, windows=True)
        return (closer, more) if self._best_logit(more) > self._best_logit(found) else (search, found)

    def _look_once(
        self, photo: bytes, channels: Sequence[int], detector: DetectorSettings, clock: Clock, *, windows: bool
    ) -> tuple[PhotoSearch, list[Looked]]:
        with clock.stage("decode"):
            decoded, size = decode(photo, long_side=detector.long_side, limits=self.settings.limits)
            image = resize_long_side(decoded, detector.long_side)
        with clock.stage("describe"):
            features = describe_photo(image, self.model, detector, orb=self.settings.verifier == "orb", pool=self._pool)
        if len(features.keypoints) < self.settings.min_keypoints:
            raise TooFewFeatures(len(features.keypoints), self.settings.min_keypoints)
        search = self.rank(image, size, features, channels, windows=windows, clock=clock)
        return search, self.verify(search, clock=clock)

    def _best_logit(self, found: Sequence[Looked]) -> float:
        return max((self.calibration.pair_logit(one.figures) for one in found), default=-FURTHEST)

    def rank(
        self,
        image: ColorImage,
        size: tuple[int, int],
        features: LocalFeatures,
        channels: Sequence[int],
        *,
        windows: bool = False,
        everything: bool = False,
        clock: Clock | None = None,
    ) -> PhotoSearch:
        """Shortlist and ranking by geometry. windows: the global descriptor is also taken in windows of the
        photo, and both lists are read deeper; everything: all pictures are ranked (a ceiling to compare
        with)."""
        clock = clock or Clock()
        settings, gallery, table = self.settings, self.gallery, self.gallery.table
        with clock.stage("shortlist"):
            signatures = self.model.vocabulary.signatures(features.descriptors)
            deeper = 2 if windows else 1
            least = self.settings.min_keypoints
            queries = global_queries(features, self.model.vocabulary, windows=windows, min_keypoints=least)
            shortlist = gallery.shortlist(
                channels,
                features.descriptors,
                signatures,
                queries,
                votes_depth=deeper * settings.votes_depth,
                global_depth=deeper * settings.global_depth,
                pool=self._pool,
            )
            slots = shortlist.union()
            if everything:
                count = table.count
                slots = np.flatnonzero(np.isin(table.channels[:count], list(channels)) & (table.visible[:count] == 1))
        with clock.stage("rank"):
            index = self.index_photo(features)
            halves = np.array_split(slots, 2) if self._pool is not None and len(slots) > 100 else [slots]
            base, grown = table.arrays
            work = [(index, base, grown, half, table.keypoints) for half in halves]
            other = self._pool.submit(rank.rank, *work[1]) if self._pool is not None and len(work) > 1 else None
            scores = rank.rank(*work[0])
            if other is not None:
                scores = np.concatenate([scores, other.result()])
            order = np.lexsort((slots, -scores))
        return PhotoSearch(image, size, features, shortlist, slots[order], scores[order])

    def index_photo(self, features: LocalFeatures) -> rank.PhotoIndex:
        points, vocabulary = features.keypoints, self.model.vocabulary
        signatures = vocabulary.signatures(features.descriptors)
        return rank.index_photo(points.xy, points.scale, points.angle, features.descriptors, signatures, vocabulary)

    def candidates(self, search: PhotoSearch, count: int) -> list[Candidate]:
        """The best `count` of a ranking, ready to verify."""
        table = self.gallery.table
        slots = [int(s) for s in search.slots[:count]]
        known = self.catalogue.pictures_by_id([int(table.picture_ids[s]) for s in slots])
        bits = self.catalogue.orb_bits(list(known)) if self.settings.verifier == "orb" else {}
        result = []
        for slot, score in zip(slots, search.scores, strict=False):
            picture = known.get(int(table.picture_ids[slot]))
            if picture is not None and score > 0:
                factor = PICTURE_DETECTOR.long_side / max(picture.width, picture.height)
                size = (round(picture.width * factor), round(picture.height * factor))
                orb = np.frombuffer(bits[picture.id], np.uint8).reshape(-1, BYTES) if picture.id in bits else None
                result.append(Candidate(slot, picture.id, float(score), table.records(slot), size, orb))
        return result

    def verify(self, search: PhotoSearch, *, clock: Clock | None = None) -> list[Looked]:
        """The best candidates with their figures, most inliers first."""
        clock = clock or Clock()
        with clock.stage("verify"):
            side = prepare_photo(search.features, self.model.vocabulary)
            found = verify_all(side, self.candidates(search, self.settings.verified), pool=self._pool)
        with clock.stage("look"):
            kept = [self._kept_picture(v.candidate.picture_id) for v in found[:LOOKED_AT]]
            work = [(v, search.image, picture) for v, picture in zip(found, kept, strict=False)]
            return [look(*w) for w in work] if self._pool is None else list(self._pool.map(lambda w: look(*w), work))

    def needs_second_look(self, found: Sequence[Looked]) -> bool:
        """Whether no candidate comes near to being an answer."""
        return self.settings.second_look and self._best_logit(found) < 0

    def judge(self, found: Sequence[Looked], photo: ColorImage) -> list[tuple[Looked, float]]:
        """Candidates with their match ratios, best first. The best two meet in a duel; copies of one picture
        do not compete, and the one added first stands before the others."""
        logits = [self.calibration.pair_logit(one.figures) for one in found]
        order = sorted(range(len(found)), key=lambda i: -logits[i])
        rivals = {
            i: next((j for j in order if j != i and not self.same_picture(found[i], found[j])), None) for i in order
        }
        # Only the first and its rival can answer; the others stand in the list by their margin.
        close = [(i, j) for i, j in rivals.items() if j is not None and {i, j} == {order[0], rivals[order[0]]}]
        meetings = [(found[i], found[j], photo) for i, j in close]
        met = [meet(*m) for m in meetings] if self._pool is None else self._pool.map(lambda m: meet(*m), meetings)
        duels = dict(zip(close, met, strict=True))
        ratios = {}
        for i, rival in rivals.items():
            if rival is None:
                ratios[i] = self.calibration.match_ratio(logits[i], None)
            else:
                ratios[i] = self.calibration.match_ratio(logits[i], logits[rival], duels.get((i, rival), UNMET))
        ranked = sorted(order, key=lambda i: -ratios[i])
        if ranked:
            copies = [i for i in ranked if i == ranked[0] or self.same_picture(found[ranked[0]], found[i])]
            oldest = min(copies, key=lambda i: found[i].verified.candidate.picture_id)
            ratios[oldest] = ratios[ranked[0]]
            ranked = [oldest, *(i for i in ranked if i != oldest)]
        return [(found[i], ratios[i]) for i in ranked]

    def same_picture(self, one: Looked, other: Looked) -> bool:
        """Whether two stored pictures are the same one, added twice or in two channels: most keypoints of
        both are equal to the bit, or nearly so, at the same places."""
        a, b = one.verified.candidate.rows[:, 0], other.verified.candidate.rows[:, 0]
        return bool(np.isin(a, b).mean() > 0.8)

    def _kept_picture(self, picture_id: int) -> ColorImage | None:
        """The normalised picture, from a small cache or the catalogue."""
        with self._pictures_lock:
            if picture_id in self._pictures:
                self._pictures.move_to_end(picture_id)
                return self._pictures[picture_id]
        jpeg = self.catalogue.rendition(picture_id)
        if jpeg is None:
            return None
        picture = decode(jpeg, long_side=320)[0]
        with self._pictures_lock:
            self._pictures[picture_id] = picture
            if len(self._pictures) > _CACHED_PICTURES:
                self._pictures.popitem(last=False)
        return picture
