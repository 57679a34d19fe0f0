"""From the scores of all pictures to a list."""

from __future__ import annotations

import numpy as np

from engine.values import Array, FloatArray


def best(scores: FloatArray, k: int) -> tuple[Array, FloatArray]:
    """Numbers and scores of the `k` highest; among equal ones the picture that was added first."""
    order = np.argsort(-scores, kind="stable")[:k]
    return order, scores[order]
