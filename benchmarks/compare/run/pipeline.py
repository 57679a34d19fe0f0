"""One method at work on one photo: lists, ranking, verification, each with its milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare.material import ComparedPhoto, ComparedPicture, read_small
from benchmarks.compare.methods import Method, Verifier
from benchmarks.compare.parts.matcher import Matcher
from benchmarks.compare.parts.shortlists import ENGINE_LISTS, SHORTLISTS
from benchmarks.compare.parts.shortlists.orb_words import FEWEST_PAIRS, OrbWords
from benchmarks.compare.parts.verifiers import Seen, fit, verify
from benchmarks.compare.parts.workshop import Workshop, photo_features
from benchmarks.sets import CHANNEL
from engine.describe.records import unpack
from engine.enrol.preparation import RENDITION_SIDE
from engine.errors import ResearchError, TooFewFeatures
from engine.image import decode, trim_margins
from engine.image_files import LIMITS
from engine.recognise.pipeline import Examination
from engine.timing import Clock
from engine.values import Array, FloatArray, resize_matrix
from engine.verify.evidence import Evidence
from engine.verify.homography import project

RANKINGS = ("geometry", "orientation")
EVERYTHING = "everything"
_UNVERIFIED = 0.01


@dataclass(frozen=True)
class Place:
    """Where a picture was seen, in pixels of the original files."""

    number: int
    H_picture_to_photo: NDArray[np.float64]
    inliers: FloatArray
    """(M, 4) picture x, y, photo u, v."""


@dataclass(frozen=True)
class Found:
    """What a method gives for one photo."""

    numbers: Array
    scores: FloatArray
    """The final ranking, best first."""
    accepted: bool
    """Whether its first is an answer."""
    listed: Array
    listed_scores: FloatArray
    """All that the shortlist gives, however deep; none for EVERYTHING."""
    stages: dict[str, float]
    """Milliseconds."""
    place: Place | None
    """Where the first of the ranking was seen, if it was verified."""


def check_method(method: Method, matcher: Matcher | None) -> None:
    """Raises ResearchError where a name in the method has no answer, or a part lacks what it needs."""
    known = (*SHORTLISTS, *ENGINE_LISTS)
    odd = [name for name in method.shortlists if name not in known and not name.startswith("onnx:")]
    if odd or not method.shortlists:
        raise ResearchError(f"method {method.name}: no shortlist {', '.join(odd)!r}; there are {', '.join(known)}")
    if method.ranking is not None and method.ranking not in RANKINGS:
        raise ResearchError(f"method {method.name}: no ranking {method.ranking!r}; there are {', '.join(RANKINGS)}")
    if _uses_words(method) and "orb_words" not in method.shortlists:
        raise ResearchError(f"method {method.name}: the pairs of words come from the shortlist orb_words")
    if isinstance(method.verifier, Verifier) and method.verifier.features == "matcher" and matcher is None:
        raise ResearchError(f"method {method.name} needs a matcher: give --matcher FILE.onnx")


def _uses_words(method: Method) -> bool:
    checked = isinstance(method.verifier, Verifier) and method.verifier.features == "words"
    return checked or method.ranking == "orientation"


class Pipeline:
    """A method made ready for one gallery."""

    def __init__(self, workshop: Workshop, method: Method, *, matcher: Matcher | None = None) -> None:
        """Builds what the method needs. Raises ResearchError as `check_method` does."""
        check_method(method, matcher)
        self.workshop, self.method, self._matcher = workshop, method, matcher
        self.lists = [workshop.built(name) for name in method.shortlists]
        self._count = len(workshop.material.pictures)
        self._words = cast(OrbWords, workshop.built("orb_words")) if _uses_words(method) else None

    def answer(self, photo: ComparedPhoto) -> Found:
        names = photo_features(self.method)
        self.workshop.describe(names, photo)
        if self.method.verifier == "obverse":
            return self._default(photo)
        clock = Clock()
        clock.milliseconds.update(zip(("decode", "describe"), self.workshop.ms(names, photo), strict=True))
        depth = min(self.method.depth or self._count, self._count)
        with clock.stage("shortlist"):
            numbers, scores = self._list(photo, depth)
        listed = self._listed(photo)
        pairs = self._pairs(photo, numbers, clock)
        if self.method.ranking is not None:
            with clock.stage("rank"):
                scores = self._rank(photo, numbers, pairs)
                order = np.argsort(-scores, kind="stable")
                numbers, scores = numbers[order], scores[order]
        place = None
        if isinstance(self.method.verifier, Verifier):
            numbers, scores, place = self._verify(photo, numbers, scores, pairs, clock)
        threshold = self.method.threshold
        accepted = bool(len(scores)) and threshold is not None and float(scores[0]) >= threshold
        return Found(numbers, scores, accepted, *listed, clock.milliseconds, place)

    # Lists

    def _list(self, photo: ComparedPhoto, depth: int) -> tuple[Array, FloatArray]:
        """Of one list its own scores; several are merged in turns, and scores fall with the place."""
        found = []
        for name, one in zip(self.method.shortlists, self.lists, strict=True):
            found.append(one.search(self.workshop.arrays(_describer(name), photo), depth))
        if len(found) == 1:
            return found[0]
        turns = np.full((depth, len(found)), -1, np.int64)
        for column, (numbers, _) in enumerate(found):
            turns[: len(numbers), column] = numbers
        merged = turns[turns >= 0]
        merged = merged[np.sort(np.unique(merged, return_index=True)[1])][:depth]
        return merged, (1 / np.arange(1, len(merged) + 1)).astype(np.float32)

    def _listed(self, photo: ComparedPhoto) -> tuple[Array, FloatArray]:
        """The whole list, not timed: at which place the right picture stands is asked, however deep."""
        if EVERYTHING in self.method.shortlists:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        return self._list(photo, self._count)

    # Ranking

    def _pairs(self, photo: ComparedPhoto, numbers: Array, clock: Clock) -> dict[int, tuple[Array, Array]]:
        """Points that share a word, of each candidate; nothing where the method has no words."""
        if self._words is None:
            return {}
        arrays = self.workshop.arrays("orb_words", photo)
        with clock.stage("rank"):
            rows = self._words.rows_of_words(arrays)
            return {int(n): self._words.pairs(arrays, rows, int(n)) for n in numbers}

    def _rank(self, photo: ComparedPhoto, numbers: Array, pairs: dict[int, tuple[Array, Array]]) -> FloatArray:
        if self.method.ranking == "geometry":
            return self.workshop.gallery().rank(self.workshop.arrays("patches", photo), numbers)
        return np.array([len(pairs[int(n)][0]) for n in numbers], np.float32)

    # Verification

    def _verify(
        self,
        photo: ComparedPhoto,
        numbers: Array,
        scores: FloatArray,
        pairs: dict[int, tuple[Array, Array]],
        clock: Clock,
    ) -> tuple[Array, FloatArray, Place | None]:
        """Verified candidates by their inliers, then the others in their order with scores below 1."""
        count = self.method.verified or len(numbers)
        seen: dict[int, Seen] = {}
        clock.milliseconds.setdefault("verify", 0.0)
        for n in (int(n) for n in numbers[:count]):
            one = self._seen(photo, n, pairs, clock)
            if one is not None:
                seen[n] = one
        first = np.array(sorted(seen, key=lambda n: -len(seen[n].inliers)), np.int64)
        rest = ~np.isin(numbers, first)
        inliers = np.array([len(seen[int(n)].inliers) for n in first], np.float32)
        behind = below_one(scores[rest])
        place = None
        if len(first):
            place = self._placed(photo, int(first[0]), seen[int(first[0])])
        return np.concatenate([first, numbers[rest]]), np.concatenate([inliers, behind]), place

    def _seen(
        self, photo: ComparedPhoto, number: int, pairs: dict[int, tuple[Array, Array]], clock: Clock
    ) -> Seen | None:
        verifier = cast(Verifier, self.method.verifier)
        picture = self.workshop.material.pictures[number]
        if verifier.features == "words":
            if len(pairs[number][0]) < FEWEST_PAIRS:
                return None
            mine, theirs = (self.workshop.arrays("orb_words", image) for image in (picture, photo))
            with clock.stage("verify"):
                return fit(*pairs[number], mine["size"], theirs["size"], verifier.estimator)
        if verifier.features == "matcher":
            assert self._matcher is not None  # the constructor has seen to it
            mine, theirs = (self._matcher_arrays(image) for image in (picture, photo))
            with clock.stage("verify"):
                points = self._matcher.match(mine, theirs)
                return fit(*points, mine["size"], theirs["size"], verifier.estimator)
        mine, theirs = (self.workshop.arrays(verifier.features, image) for image in (picture, photo))
        with clock.stage("verify"):
            return verify(theirs, mine, verifier)

    def _matcher_arrays(self, image: ComparedPhoto | ComparedPicture) -> dict[str, Array]:
        assert self._matcher is not None
        return self._matcher.describe(read_small(image.path)[0], photo=isinstance(image, ComparedPhoto))

    def _working_size(self, image: ComparedPhoto | ComparedPicture) -> tuple[int, int]:
        verifier = cast(Verifier, self.method.verifier)
        if verifier.features == "matcher":
            size = self._matcher_arrays(image)["size"]
        else:
            size = self.workshop.arrays("orb_words" if verifier.features == "words" else verifier.features, image)[
                "size"
            ]
        return int(size[0]), int(size[1])

    def _placed(self, photo: ComparedPhoto, number: int, seen: Seen) -> Place:
        picture = self.workshop.material.pictures[number]
        to_working = resize_matrix(read_small(picture.path)[1], self._working_size(picture))
        to_full = resize_matrix(self._working_size(photo), read_small(photo.path)[1])
        H = to_full @ seen.H_picture_to_photo @ to_working
        ends = [project(np.linalg.inv(to_working), seen.inliers[:, :2]), project(to_full, seen.inliers[:, 2:])]
        return Place(number, H, np.concatenate(ends, axis=1).astype(np.float32))

    # Obverse's default

    def _default(self, photo: ComparedPhoto) -> Found:
        """What `Recognizer.recognise` does, with the ranking by geometry behind the verified candidates: their
        scores are match ratios, 0 to 100, the others' next to nothing."""
        gallery = self.workshop.gallery()
        recognizer, clock = gallery.recognizer, Clock()
        listed = self._listed(photo)
        try:
            examined = recognizer.examine(photo.path.read_bytes(), [CHANNEL], clock=clock)
        except TooFewFeatures:
            empty = np.zeros(0, np.int64)
            return Found(empty, empty.astype(np.float32), False, *listed, clock.milliseconds, None)
        with clock.stage("judge"):
            judged = recognizer.judge(examined)
        first = gallery.numbers(np.array([one.candidate.picture_id for one, _ in judged], np.int64))
        ranked = gallery.numbers(examined.ranking.pictures)
        rest = ~np.isin(ranked, first)
        ratios = np.array([ratio for _, ratio in judged], np.float32)
        # Candidates that were not verified get no ratio: less than all that have one, and than a hundredth percent.
        least = min(_UNVERIFIED, float(ratios.min(initial=_UNVERIFIED)))
        behind = least * below_one(examined.ranking.scores[rest])
        accepted = bool(judged) and judged[0][1] >= recognizer.default_threshold
        place = None
        if judged:
            number = int(first[0])
            place = _engine_place(judged[0][0], number, self.workshop.material.pictures[number], examined)
        scores = np.concatenate([ratios, behind])
        return Found(np.concatenate([first, ranked[rest]]), scores, accepted, *listed, clock.milliseconds, place)


def below_one(scores: FloatArray) -> NDArray[np.float64]:
    """Falling scores of any size as falling scores between -1 and 1. Never rising: two divisions of almost equal
    numbers may be rounded differently, by the processor's vectors or outside them."""
    wide = scores.astype(np.float64)
    return np.asarray(np.minimum.accumulate(wide / (1 + np.abs(wide))))


def _describer(shortlist: str) -> str:
    return "patches" if shortlist in ("votes", "global") else shortlist


def _engine_place(evidence: Evidence, number: int, picture: ComparedPicture, examined: Examination) -> Place:
    """The engine works on pictures without their plain margins; here they are back."""
    decoded, size = decode(picture.path.read_bytes(), long_side=RENDITION_SIDE, limits=LIMITS)
    left, top, right, bottom = trim_margins(decoded)
    to_trimmed = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
    to_decoded = resize_matrix(size, (decoded.shape[1], decoded.shape[0]))
    to_frame = resize_matrix((right - left, bottom - top), evidence.candidate.size) @ to_trimmed @ to_decoded
    features = examined.query.features
    to_full = resize_matrix(features.size, examined.photo_size)
    theirs = unpack(evidence.candidate.rows)[0][evidence.alignment.picture_rows]
    mine = features.keypoints.xy[evidence.alignment.photo_rows]
    ends = [project(np.linalg.inv(to_frame), theirs), project(to_full, mine)]
    H = to_full @ evidence.alignment.H_picture_to_photo @ to_frame
    return Place(number, H, np.concatenate(ends, axis=1).astype(np.float32))
