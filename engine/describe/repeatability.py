"""How likely a picture's keypoint is to be found again in a photograph of it, from what the detector knows.

A logistic regression over six figures, fitted by `training.learn.repeatability` on simulated photographs. Where only
some keypoints of a picture vote, they are drawn by it (`engine.describe.features.voting_order`).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from engine.describe.keypoints import LEVEL_FACTOR, Keypoints
from engine.values import Array, FloatArray

FIGURES = ("rank", "rank_in_level", "level", "log_response", "edge", "log_neighbours")
NEAR = 0.03
"""Keypoints within this share of the picture's sides are neighbours."""


def keypoint_figures(keypoints: Keypoints, size: tuple[int, int]) -> FloatArray:
    """(N, 6) float32 in the order of FIGURES, of a picture of `size` (width, height) pixels.

    rank, rank_in_level: of the Harris response among all keypoints and among those of the same pyramid level,
    0 (weakest) to 1; level: of the pyramid; edge: distance to the nearest side, as a share of that side;
    log_neighbours: of the keypoints nearby, itself included.
    """
    place = keypoints.xy / np.array(size, np.float32)
    level = np.rint(np.log(keypoints.scale) / np.log(LEVEL_FACTOR))
    in_level = np.zeros(len(keypoints))
    for one in np.unique(level):
        members = level == one
        in_level[members] = _rank(keypoints.response[members])
    neighbours = cKDTree(place).query_ball_point(place, NEAR, return_length=True)
    columns = (
        _rank(keypoints.response),
        in_level,
        level,
        np.log(np.maximum(keypoints.response, 1e-8)),
        np.minimum(place, 1 - place).min(1, initial=1),
        np.log(neighbours),
    )
    return np.stack(columns, 1).astype(np.float32)


def found_again(keypoints: Keypoints, size: tuple[int, int], weights: FloatArray) -> Array:
    """(N,) probabilities; weights: (7,), one for each figure and the constant."""
    logit = keypoint_figures(keypoints, size) @ weights[:-1] + weights[-1]
    probability: Array = 1 / (1 + np.exp(-logit))
    return probability


def _rank(values: FloatArray) -> Array:
    ranks: Array = np.argsort(np.argsort(values, kind="stable")) / max(len(values) - 1, 1)
    return ranks
