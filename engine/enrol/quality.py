"""How easily a picture will be recognised: its level, 1 to 5."""

from __future__ import annotations

import numpy as np

from engine.describe.keypoints import Keypoints
from engine.values import Array

LEVEL_STEPS = (0.55, 0.66, 0.74, 0.80)
"""Qualities at which the levels 2, 3, 4 and 5 begin; `docs/recognition.md` shows recall by level."""
_CELLS = 8


def quality(keypoints: Keypoints, words: Array, size: tuple[int, int]) -> float:
    """0 to 1, the geometric mean of three shares: of the 64 cells of the picture, those that hold a
    keypoint; of the 400 keypoints a picture may have, those it has; of its words, those that occur once."""
    if not len(keypoints):
        return 0.0
    cells = np.minimum((keypoints.xy / np.array(size) * _CELLS).astype(int), _CELLS - 1)
    covered = len(np.unique(cells @ [1, _CELLS])) / _CELLS**2
    number = min(len(keypoints) / 400, 1.0)
    # 14 bits of the word: repeated letters and dots share them, different places seldom do.
    coarse = (words >> 13 << 7) | (words >> 3 & 127)
    counts = np.unique(coarse, return_counts=True)[1]
    distinct = counts[counts == 1].sum() / len(words)
    return float((covered * number * distinct) ** (1 / 3))


def level_of(value: float) -> int:
    """1 (hard) to 5 (easy)."""
    return 1 + int(np.searchsorted(LEVEL_STEPS, value, side="right"))
