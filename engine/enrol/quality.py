"""How easily a picture will be recognised: its level, 1 to 5, and ten grades of its parts, 0 (best) to 4 (worst).

The level comes from the keypoints. The grades say how well a picture can be detected in a photo and tracked in a video,
from what is stored of it: detection uses every keypoint; tracking the fine ones, which move by little from frame to
frame and are found in each of them; the contrast is measured in the kept rendition.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import cv2
import numpy as np

from engine.describe.keypoints import LEVEL_FACTOR, PICTURE_DETECTOR, Keypoints
from engine.describe.records import frame_size, unpack
from engine.describe.vocabulary import coarsen
from engine.errors import DamagedData
from engine.image import decode_kept, to_gray
from engine.values import Array, FloatArray

_log = logging.getLogger(__name__)

LEVEL_STEPS = (0.55, 0.66, 0.74, 0.80)
"""Qualities at which the levels 2, 3, 4 and 5 begin; `docs/measurements.md` shows recall by level."""
_CELLS = 8
_WORD_HALF_BITS = 7
"""Words of 14 bits: repeated letters and dots share them, different places seldom do."""


def quality(keypoints: Keypoints, words: Array, size: tuple[int, int]) -> float:
    """0 to 1, the geometric mean of three shares: of the 64 cells of the picture, those that hold a
    keypoint; of the 400 keypoints a picture may have, those it has; of its words, those that occur once."""
    if not len(keypoints):
        return 0.0
    number = min(len(keypoints) / PICTURE_DETECTOR.count, 1.0)
    return float((_covered(keypoints.xy, size) * number * _distinct(words)) ** (1 / 3))


def level_of(value: float) -> int:
    """1 (hard) to 5 (easy)."""
    return 1 + int(np.searchsorted(LEVEL_STEPS, value, side="right"))


def _covered(xy: FloatArray, size: tuple[int, int]) -> float:
    """The share of the picture's 64 cells that hold a keypoint."""
    cells = np.clip((xy / np.array(size) * _CELLS).astype(int), 0, _CELLS - 1)
    return len(np.unique(cells @ [1, _CELLS])) / _CELLS**2


def _distinct(words: Array) -> float:
    """The share of keypoints whose word, at 14 bits, occurs once."""
    if not len(words):
        return 0.0
    counts = np.unique(coarsen(words, _WORD_HALF_BITS), return_counts=True)[1]
    return float(counts[counts == 1].sum() / len(words))


GRADE_STEPS = {
    "count": (0.2, 0.4, 0.6, 0.85),
    "distribution": (0.3, 0.42, 0.52, 0.62),
    "distinctiveness": (0.5, 0.62, 0.7, 0.77),
    "ambiguity": (0.25, 0.36, 0.45, 0.55),
    "contrast": (0.15, 0.3, 0.5, 0.75),
}
"""Shares at which the grades 3, 2, 1 and 0 begin, bigger is better; chosen by the spread over 197 pictures of eight
evaluation sets: a tenth of them gets 2 or worse, a third 0. `docs/easyar.md` says what each share is."""
_FINE = LEVEL_FACTOR**2.5
"""Keypoint scales of ORB's three finest levels."""
_FINE_COUNT = PICTURE_DETECTOR.count // 2
_TWIN_BITS = 12
"""Signatures of 64 bits that differ in fewer are of places that a tracker may mistake for each other."""
_NEIGHBOURHOOD = 15
_UNKNOWN = 2
_FULL_CONTRAST = 64.0
"""Grey levels: the standard deviation of a patch that is half black and half white is 127."""


@dataclass(frozen=True, kw_only=True)
class Grades:
    """0 (best) to 4 (worst) each; a rate sums up the grades that begin like it."""

    detectable_rate: int
    detectable_distinctiveness: int
    detectable_feature_count: int
    detectable_feature_distribution: int
    trackable_rate: int
    trackable_distinctiveness: int
    trackable_feature_count: int
    trackable_feature_distribution: int
    trackable_patch_contrast: int
    trackable_patch_ambiguity: int


def grade_picture(rows: Array, size: tuple[int, int], *, level: int, jpeg: bytes | None) -> Grades:
    """rows: (N, 2) uint64 of `engine.describe.records`; size: width and height of the picture in any unit; level: its
    level, 1 to 5; jpeg: its rendition, without which, or with a damaged one, the contrast is graded in the middle."""
    xy, scale, _, words, signatures = unpack(rows)
    fine = scale < _FINE
    frame = frame_size(size)
    contrast = _UNKNOWN if jpeg is None else _contrast_grade(jpeg, xy[fine], frame)
    tracking = {
        "trackable_distinctiveness": _grade("distinctiveness", _distinct(words[fine])),
        "trackable_feature_count": _grade("count", min(int(fine.sum()) / _FINE_COUNT, 1.0)),
        "trackable_feature_distribution": _grade("distribution", _covered(xy[fine], frame)),
        "trackable_patch_contrast": contrast,
        "trackable_patch_ambiguity": _grade("ambiguity", _unmistakable(signatures[fine])),
    }
    return Grades(
        detectable_rate=5 - level,
        detectable_distinctiveness=_grade("distinctiveness", _distinct(words)),
        detectable_feature_count=_grade("count", min(len(rows) / PICTURE_DETECTOR.count, 1.0)),
        detectable_feature_distribution=_grade("distribution", _covered(xy, frame)),
        trackable_rate=round(sum(tracking.values()) / len(tracking)),
        **tracking,
    )


def _grade(kind: str, share: float) -> int:
    return 4 - int(np.searchsorted(GRADE_STEPS[kind], share, side="right"))


def _unmistakable(signatures: Array) -> float:
    """The share of keypoints without a twin in the picture."""
    if not len(signatures):
        return 0.0
    bits = np.unpackbits(signatures.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1).astype(np.float32)
    ones = bits.sum(1)
    distance = ones[:, None] + ones[None] - 2 * (bits @ bits.T)
    np.fill_diagonal(distance, 64)
    return float((distance.min(1) >= _TWIN_BITS).mean())


def _contrast_grade(jpeg: bytes, xy: FloatArray, frame: tuple[int, int]) -> int:
    try:
        return _grade("contrast", _contrast(jpeg, xy, frame))
    except DamagedData as error:
        _log.error("a picture is graded without its contrast: %s", error)
        return _UNKNOWN


def _contrast(jpeg: bytes, xy: FloatArray, frame: tuple[int, int]) -> float:
    """The mean standard deviation of the grey levels around the keypoints, as a share of `_FULL_CONTRAST`."""
    if not len(xy):
        return 0.0
    gray = to_gray(decode_kept(jpeg, long_side=PICTURE_DETECTOR.long_side)).astype(np.float32)
    window = (_NEIGHBOURHOOD, _NEIGHBOURHOOD)
    mean = cv2.blur(gray, window)
    deviation = np.sqrt(np.maximum(cv2.blur(gray * gray, window) - mean * mean, 0))
    places = (xy / np.array(frame) * gray.shape[::-1]).astype(int)
    column, row = np.clip(places, 0, np.array(gray.shape[::-1]) - 1).T
    return min(float(deviation[row, column].mean()) / _FULL_CONTRAST, 1.0)
