"""From an image to what the gallery stores of a picture, and to what a photo is searched with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from engine.describe.keypoints import LEVELS, PHOTO_DETECTOR, PICTURE_DETECTOR, DetectorSettings, Keypoints, detect
from engine.describe.orb_bits import describe_orb
from engine.describe.patch_model import PatchModel
from engine.describe.patches import extract_patches
from engine.describe.records import pack
from engine.describe.repeatability import found_again
from engine.detail import DIM, DIM_SHARE, FAINT, FAINT_SHARE, stretched, working_side
from engine.image import resize_long_side, to_gray
from engine.threads import run_both
from engine.values import Array, ByteArray, ColorImage, FloatArray

FEATURE_VERSION = 3
"""Part of every gallery's fingerprint: raise it when stored features change their meaning."""
SHARPNESS = 3
"""Power of the probability that weighs the draw: 1 and 2 gained less, and so did higher ones, which crowd the
keypoints together (docs/decisions/0006)."""

_WORTH_SHARING = 100
"""Keypoints from which on two threads are quicker than one."""


@dataclass(frozen=True)
class LocalFeatures:
    """N keypoints of an image at its working size, described."""

    keypoints: Keypoints
    """In pixels of the working image."""
    descriptors: FloatArray
    """(N, D) float32."""
    size: tuple[int, int]
    """Width and height of the working image."""
    orb: ByteArray | None = None
    """(N, 32) uint8, where it was asked for."""
    weights: FloatArray | None = None
    """(N,) float32, what each patch counts in the global descriptor; None: alike."""


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
    them in the global descriptor. Very long pictures are looked at larger (`engine.detail.working_side`); their
    keypoints too are given in the frame of 480 pixels.
    """
    features = _describe(picture, model, detector, orb=orb)
    probability = found_again(features.keypoints, features.size, model.vocabulary.repeatability)
    order = voting_order(probability)
    bits = None if features.orb is None else features.orb[order]
    weights = probability[order].astype(np.float32)
    keypoints, size = _in_frame(features.keypoints.take(order), features.size, detector.long_side)
    return LocalFeatures(keypoints, features.descriptors[order], size, bits, weights)


def _in_frame(keypoints: Keypoints, size: tuple[int, int], long_side: int) -> tuple[Keypoints, tuple[int, int]]:
    """Keypoints of a working image of `size` in pixels of one whose longer side is `long_side`, and its size."""
    if max(size) == long_side:
        return keypoints, size
    factor = long_side / max(size)
    moved = replace(keypoints, xy=(keypoints.xy + 0.5) * factor - 0.5, scale=keypoints.scale * factor)
    return moved, (round(size[0] * factor), round(size[1] * factor))


def describe_clearly(
    image: ColorImage, describe: Callable[[ColorImage], LocalFeatures], *, least: int
) -> tuple[ColorImage, LocalFeatures]:
    """The image as it was described, and its features: with more contrast where it is dim, and where it is faint and
    `describe` finds fewer than `least` keypoints in it."""
    dim = stretched(image, most=DIM, share=DIM_SHARE)
    seen = image if dim is None else dim
    features = describe(seen)
    few = len(features.keypoints) < least
    clearer = stretched(seen, most=FAINT, share=FAINT_SHARE) if few else None
    return (seen, features) if clearer is None else (clearer, describe(clearer))


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


def feature_fingerprint() -> str:
    """8 hexadecimal digits of all that decides the meaning of stored features beside the model: the version, and how a
    picture's keypoints are sought. The text is written out, so that no name in the code is part of it."""
    d = PICTURE_DETECTOR
    facts = (
        f"({FEATURE_VERSION}, DetectorSettings(long_side={d.long_side}, count={d.count}, "
        f"fast_threshold={d.fast_threshold}, faint_threshold={d.faint_threshold}, faint_below={d.faint_below}, "
        f"cells={d.cells}, contrast={d.contrast}))"
    )
    if d.levels != LEVELS:  # a later setting: with its default the fingerprint stays what it was
        facts += f", levels={d.levels}"
    return hashlib.sha256(facts.encode()).hexdigest()[:8]


def _describe(
    image: ColorImage, model: PatchModel, detector: DetectorSettings, *, orb: bool, pool: Executor | None = None
) -> LocalFeatures:
    height, width = image.shape[:2]
    gray = to_gray(resize_long_side(image, working_side((width, height), detector.long_side)))
    keypoints = detect(gray, detector)

    def describe(rows: Array) -> FloatArray:
        return model.describe(extract_patches(gray, keypoints.take(rows)))

    rows = np.arange(len(keypoints))
    if pool is None or len(rows) < _WORTH_SHARING:
        descriptors = describe(rows)
    else:
        first, second = np.array_split(rows, 2)
        descriptors = np.concatenate(run_both(pool, lambda: describe(first), lambda: describe(second)))
    bits = describe_orb(gray, keypoints) if orb else None
    return LocalFeatures(keypoints, descriptors, (gray.shape[1], gray.shape[0]), bits)
