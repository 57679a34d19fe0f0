"""From an image to what the gallery stores of a picture, and to what a photo is searched with."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from engine.describe.keypoints import PHOTO_DETECTOR, PICTURE_DETECTOR, DetectorSettings, Keypoints, detect
from engine.describe.orb_bits import describe_orb
from engine.describe.patch_model import PatchModel
from engine.describe.patches import extract_patches
from engine.describe.records import pack
from engine.describe.repeatability import found_again
from engine.image import resize_long_side, to_gray
from engine.values import Array, ByteArray, ColorImage, FloatArray

SHARPNESS = 3
"""Power of the probability that weighs the draw: 1 and 2 gained less, and so did higher ones, which crowd the
keypoints together (docs/decisions/0006)."""


@dataclass(frozen=True)
class LocalFeatures:
    """keypoints in pixels of the image at its working size; descriptors (N, D) float32; size: width and
    height of the working image; orb: (N, 32) uint8, where it was asked for; weights: (N,) float32, what each patch
    counts in the global descriptor, None: alike."""

    keypoints: Keypoints
    descriptors: FloatArray
    size: tuple[int, int]
    orb: ByteArray | None = None
    weights: FloatArray | None = None


def describe_photo(
    photo: ColorImage,
    model: PatchModel,
    detector: DetectorSettings = PHOTO_DETECTOR,
    *,
    orb: bool = False,
    pool: Executor | None = None,
) -> LocalFeatures:
    """Up to 700 keypoints of the photo at 640 pixels; none for a featureless one. With a pool, two threads
    share the patches."""
    return _describe(photo, model, detector, orb=orb, pool=pool)


def describe_picture(
    picture: ColorImage, model: PatchModel, detector: DetectorSettings = PICTURE_DETECTOR, *, orb: bool = False
) -> LocalFeatures:
    """Up to 400 keypoints of the picture at 480 pixels, in the order in which they vote.

    The order is drawn at random (fixed seed), weighted by how likely keypoints of their kind are to be found
    again: choosing the strongest instead loses recall, because they crowd together. The same probabilities weigh
    them in the global descriptor.
    """
    features = _describe(picture, model, detector, orb=orb)
    probability = found_again(features.keypoints, features.size, model.vocabulary.repeatability)
    order = voting_order(probability)
    bits = None if features.orb is None else features.orb[order]
    weights = probability[order].astype(np.float32)
    return LocalFeatures(features.keypoints.take(order), features.descriptors[order], features.size, bits, weights)


def voting_order(probability: Array) -> Array:
    """A weighted random order (Efraimidis & Spirakis 2006) of keypoints that are found again with the given
    probabilities: key = u ** (1 / weight), largest first."""
    uniform = np.random.default_rng(0).random(len(probability))
    return np.argsort(-(uniform ** (1 / np.maximum(probability**SHARPNESS, 1e-9))))


def pack_features(features: LocalFeatures, model: PatchModel) -> Array:
    """(N, 2) uint64 rows as `engine.describe.records` lays them out."""
    vocabulary = model.vocabulary
    words = vocabulary.words(features.descriptors)
    return pack(features.keypoints, words, vocabulary.signatures(features.descriptors))


def _describe(
    image: ColorImage, model: PatchModel, detector: DetectorSettings, *, orb: bool, pool: Executor | None = None
) -> LocalFeatures:
    gray = to_gray(resize_long_side(image, detector.long_side))
    keypoints = detect(gray, detector)

    def describe(rows: Array) -> FloatArray:
        return model.describe(extract_patches(gray, keypoints.take(rows)))

    if pool is None or len(keypoints) < 100:
        descriptors = describe(np.arange(len(keypoints)))
    else:
        first, second = np.array_split(np.arange(len(keypoints)), 2)
        other = pool.submit(describe, second)
        descriptors = np.concatenate([describe(first), other.result()])
    bits = describe_orb(gray, keypoints) if orb else None
    return LocalFeatures(keypoints, descriptors, (gray.shape[1], gray.shape[0]), bits)
