"""What a second look at a photo can still find, from what the first one knows.

A second look finds two kinds of pictures that the first one missed. One kind stood at the top of the first ranking,
far ahead of all others, and lacked a little for an answer: more keypoints of all sizes decide. The other kind is so
small in the photo that the first look had hardly a keypoint on it, and knows nothing of it: only the finest levels of
a larger image show it. What was seen large and plainly, but cannot be told from its sisters, no second look decides.

The figures do not depend on the calibration, so that a new fit of the match ratio leaves the gate as it is.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np

from engine.index.ranking import Ranking
from engine.judge.decision import SAME_PICTURE
from engine.verify.evidence import INLIERS_BEYOND_DOUBT, Evidence

LEAD = 0.8
"""Lead from which on more keypoints may make an answer of the first candidate: on the fit half any value up to 1 kept
all that the closer look rescues (docs/decisions/0015)."""
SEEN_PLAINLY = INLIERS_BEYOND_DOUBT
"""Inliers of a candidate that was seen large and plainly: on the fit half, of made photos of small pictures none that a
second look rescued had so many at the first."""


class SecondLook(enum.Enum):
    """Which one follows."""

    NONE = "none"
    DISTANT = "distant"
    """The finest levels of a larger image alone, for a picture that is small in the photo."""
    CLOSER = "closer"
    """All that a larger image shows."""


def second_look(ranking: Ranking, found: Sequence[Evidence]) -> SecondLook:
    """After a first look that gave no answer. found: its verified candidates."""
    if not len(ranking.pictures):
        return SecondLook.NONE  # the channels are empty
    if lead(ranking) >= LEAD:
        return SecondLook.CLOSER
    inliers = max((len(one.alignment.photo_rows) for one in found), default=0)
    return SecondLook.NONE if inliers >= SEEN_PLAINLY else SecondLook.DISTANT


def lead(ranking: Ranking) -> float:
    """How far the best of a ranking that is not empty is ahead of the next picture that is not the same one, added
    twice: the difference of the logarithms of 1 + their scores, 0 or more."""
    best, *others = (rows[:, 0] for rows in ranking.records)
    copies = 0
    while copies < len(others) and np.isin(best, others[copies]).mean() > SAME_PICTURE:
        copies += 1
    behind = ranking.scores[1 + copies : 2 + copies].sum()  # 0 where there is no other
    return float(np.log1p(ranking.scores[0]) - np.log1p(behind))
