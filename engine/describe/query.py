"""What a photo is searched with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.describe.features import LocalFeatures
from engine.describe.vocabulary import Vocabulary
from engine.values import FloatArray


@dataclass(frozen=True)
class PhotoSide:
    """What matching needs of a photo, made once: centred (N, D) float32 unit vectors (median taken off)."""

    features: LocalFeatures
    centred: FloatArray


def prepare_photo(features: LocalFeatures, vocabulary: Vocabulary) -> PhotoSide:
    centred = features.descriptors - vocabulary.medians
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    return PhotoSide(features, centred.astype(np.float32))


def global_queries(features: LocalFeatures, vocabulary: Vocabulary, *, windows: bool, min_keypoints: int) -> FloatArray:
    """(Q, G): the photo's global descriptor; with `windows` those of nine windows of 0.6 of its sides, but for
    windows with fewer keypoints than `min_keypoints`."""
    if not windows or not len(features.descriptors):
        return vocabulary.global_descriptor(features.descriptors)[None]
    seen = [features.descriptors]
    for x in (0, 0.2, 0.4):
        for y in (0, 0.2, 0.4):
            at = features.keypoints.xy / features.size - [x, y]
            inside = ((at >= 0) & (at <= 0.6)).all(1)
            if inside.sum() >= min_keypoints:
                seen.append(features.descriptors[inside])
    return vocabulary.project(np.stack([vocabulary.vlad(descriptors) for descriptors in seen]))
