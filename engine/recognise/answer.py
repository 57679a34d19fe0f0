"""What a recognition answers with, in pixels of the full photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.catalogue import Picture
from engine.describe.records import unpack
from engine.judge.calibration import Calibration
from engine.recognise.pipeline import Examination
from engine.recognise.reasons import SENTENCES, Reason, in_letters, reason
from engine.values import FloatArray, corners, mirror_matrix, resize_matrix
from engine.verify.evidence import Evidence
from engine.verify.homography import project
from engine.verify.prints import of_picture


@dataclass(frozen=True, kw_only=True)
class Match:
    """A verified candidate."""

    picture: Picture
    match_ratio: float
    """Calibrated probability in percent, 0-100, that this is the picture."""
    quad: FloatArray
    """(4, 2) float32, the picture's corners (without its plain margins) in pixels of the full, upright photo, clockwise
    from its top left; anticlockwise where the photo is mirrored."""
    inliers: int
    accepted: bool
    """The ratio reaches the picture's threshold, or the default where it has none."""
    figures: dict[str, float]
    """The figures of each check."""
    points: FloatArray
    """(M, 2, 2) float32, inliers as (photo pixel, picture pixel in its 480-pixel frame)."""
    cells: FloatArray | None
    """(3, rows, columns) float32: of each cell of the picture, a sixteenth of its longer side, the probabilities of the
    same print, another one, and neither to be told (`engine.verify.prints`); None where it was not compared."""
    reason: Reason
    """Why it is the answer, or is none."""

    @property
    def H_picture_to_photo(self) -> NDArray[np.float64]:
        """3x3, from pixels of the picture as it was added, without its plain margins, to those of the full, upright
        photo; the number at its lower right is 1."""
        shown = corners((self.picture.width, self.picture.height)).astype(np.float32)
        return cv2.getPerspectiveTransform(shown, self.quad).astype(np.float64)

    @property
    def because(self) -> str:
        """The reason in words."""
        return SENTENCES[self.reason]

    @property
    def letters(self) -> list[str] | None:
        """The cells, a row of letters for each row of them: `=` the same print, `x` another one, `?` not to be told."""
        return None if self.cells is None else in_letters(self.cells)


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What a photo shows."""

    answer: Match | None
    """None where nothing matched or look-alikes cannot be told apart."""
    results: tuple[Match, ...]
    """Verified candidates, best first."""
    timings_ms: dict[str, float]
    """By stage, in order."""
    photo_size: tuple[int, int]
    """Width and height, upright."""
    mirrored: bool = False
    """Whether the results were found in the photo's mirror image; they are told in pixels of the photo as it is."""


def make_matches(
    ranked: Sequence[tuple[Evidence, float]],
    examined: Examination,
    pictures: Mapping[int, Picture],
    *,
    threshold: float,
    calibration: Calibration,
) -> list[Match]:
    """Judged candidates (evidence, match ratio) as matches, in their order. pictures: by their numbers; a candidate
    without one was removed while the photo was being recognised, and is left out. threshold: of pictures without one
    of their own. calibration: says whether it is a rival that keeps a candidate from being the answer."""
    features = examined.query.features
    to_full = resize_matrix(features.size, examined.photo_size)
    if examined.mirrored:
        to_full = mirror_matrix(examined.photo_size[0]) @ to_full
    matches = []
    for evidence, ratio in ranked:
        candidate, alignment = evidence.candidate, evidence.alignment
        picture = pictures.get(candidate.picture_id)
        if picture is None:
            continue
        rounded = round(ratio, 2)  # what is told and what is held against the threshold are one number
        H = to_full @ alignment.H_picture_to_photo
        seen = features.keypoints.xy[alignment.photo_rows]
        stored = unpack(candidate.rows)[0][alignment.picture_rows]
        needed = threshold if picture.threshold is None else picture.threshold
        cells = None if evidence.judged is None or evidence.seen is None else of_picture(evidence.judged, evidence.seen)
        by_itself = calibration.match_ratio(calibration.pair_logit(evidence.figures), None)
        matches.append(
            Match(
                picture=picture,
                match_ratio=rounded,
                quad=project(H, corners(candidate.size)).astype(np.float32),
                inliers=len(seen),
                accepted=rounded >= needed,
                figures=evidence.figures,
                points=np.stack([project(to_full, seen), stored], 1).astype(np.float32),
                cells=cells,
                reason=reason(
                    evidence.figures, cells, accepted=rounded >= needed, alone=by_itself >= needed, inliers=len(seen)
                ),
            )
        )
    return matches
