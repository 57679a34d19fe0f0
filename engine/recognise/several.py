"""Several pictures in one photo: what was found is taken out, and what is left is searched again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from engine.describe.features import LocalFeatures
from engine.image import EncodedImage
from engine.recognise.answer import Match
from engine.recognise.pipeline import LOOKS, Examination, Pipeline
from engine.timing import Clock
from engine.values import FloatArray, corners
from engine.verify.evidence import FEWEST_INLIERS, Evidence
from engine.verify.homography import project

MOST_ROUNDS = 8
"""Searches of one photo; each finds one picture or more, but for the last."""
_SAME_PLACE = 0.3
"""Share of the smaller of two outlines that the other covers, from which on both are of one place: look-alikes and
copies lie on each other, pictures beside each other touch at most. Chosen by judgement."""


def find_several(
    pipeline: Pipeline,
    photo: EncodedImage,
    channels: Sequence[int],
    clock: Clock,
    *,
    answered: Callable[[Sequence[Evidence], Examination], Match | None],
    most: int,
) -> tuple[Match, ...]:
    """Answers of different places, best first. answered: judges the candidates of one place; None where none of them
    is an answer. Raises the ImageErrors, TooFewFeatures among them."""
    *_, detector = LOOKS
    image, features = pipeline.describe(photo, detector, clock)
    found: list[Match] = []
    taken: list[FloatArray] = []
    for _ in range(MOST_ROUNDS):
        left = outside(features, taken)
        if len(left.keypoints) < FEWEST_INLIERS:
            break
        examined = Examination(image, photo.size, *pipeline.search(image, left, channels, clock, closer=True))
        # Those that were not compared with their pictures wait for the next round, where others are out of their way.
        compared = [one for one in examined.found if one.reference is not None] or examined.found
        places = [(place, answered(place, examined)) for place in by_place(compared)]
        new = [(place, match) for place, match in places if match is not None]
        found += [match for _, match in new]
        taken += [outline(one) for place, match in new for one in place if one.candidate.picture_id == match.picture.id]
        if not new or len(found) >= most:
            break
    return tuple(sorted(found, key=lambda match: -match.match_ratio)[:most])


def outline(one: Evidence) -> FloatArray:
    """(4, 2) float32: where the picture lies in the working image."""
    return project(one.alignment.H_picture_to_photo, corners(one.candidate.size)).astype(np.float32)


def by_place(found: Sequence[Evidence]) -> list[list[Evidence]]:
    """Candidates that lie on each other, together: they compete for one place. Most inliers first."""
    grouped: list[list[Evidence]] = []
    for one in found:
        place = next((group for group in grouped if _shared(outline(one), outline(group[0])) > _SAME_PLACE), None)
        if place is None:
            grouped.append([one])
        else:
            place.append(one)
    return grouped


def outside(features: LocalFeatures, outlines: Sequence[FloatArray]) -> LocalFeatures:
    """The keypoints that lie in none of the outlines."""
    inside = np.zeros(len(features.keypoints), bool)
    for quad in outlines:
        contour = cv2.convexHull(quad)
        inside |= [cv2.pointPolygonTest(contour, (float(x), float(y)), False) >= 0 for x, y in features.keypoints.xy]
    kept = np.flatnonzero(~inside)
    return replace(
        features,
        keypoints=features.keypoints.take(kept),
        descriptors=features.descriptors[kept],
        orb=None if features.orb is None else features.orb[kept],
        weights=None if features.weights is None else features.weights[kept],
    )


def _shared(one: FloatArray, other: FloatArray) -> float:
    """Area that both outlines cover, of the smaller one's."""
    areas = [cv2.contourArea(cv2.convexHull(quad)) for quad in (one, other)]
    shared, _ = cv2.intersectConvexConvex(cv2.convexHull(one), cv2.convexHull(other))
    return float(shared / max(min(areas), 1e-6))
