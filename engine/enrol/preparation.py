"""What is stored of a picture that is added: features, a level, a small rendition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.catalogue.entries import StoredFeatures
from engine.describe.features import describe_picture, pack_features
from engine.describe.patch_model import PatchModel
from engine.describe.records import quantise, to_bytes
from engine.enrol.quality import level_of, quality
from engine.errors import TooFewFeatures
from engine.image import decode, encode_jpeg, resize_long_side, trim_margins
from engine.settings import EngineSettings

RENDITION_SIDE = 640


@dataclass(frozen=True, kw_only=True)
class PreparedPicture:
    """What the catalogue stores of an image."""

    features: StoredFeatures
    level: int
    """1 to 5."""
    size: tuple[int, int]
    """Width and height of the given image without its plain margins."""
    keypoints: int
    """How many."""


def prepare_picture(image: bytes, model: PatchModel, settings: EngineSettings, *, trim: bool) -> PreparedPicture:
    """trim: cuts plain margins off. Raises the ImageErrors, TooFewFeatures among them."""
    decoded, full = decode(image, long_side=RENDITION_SIDE, limits=settings.limits)
    height, width = decoded.shape[:2]
    left, top, right, bottom = trim_margins(decoded) if trim else (0, 0, width, height)
    trimmed = np.ascontiguousarray(decoded[top:bottom, left:right])
    factor = full[0] / decoded.shape[1]
    size = (max(1, round(trimmed.shape[1] * factor)), max(1, round(trimmed.shape[0] * factor)))
    features = describe_picture(trimmed, model, orb=settings.store_orb)
    if len(features.keypoints) < settings.min_keypoints:
        raise TooFewFeatures(len(features.keypoints), settings.min_keypoints)
    rows = pack_features(features, model)
    vocabulary = model.vocabulary
    value = quality(features.keypoints, vocabulary.words(features.descriptors), features.size)
    kept = resize_long_side(trimmed, RENDITION_SIDE) if max(trimmed.shape[:2]) > RENDITION_SIDE else trimmed
    stored = StoredFeatures(
        keypoints=to_bytes(rows),
        vector=quantise(vocabulary.global_descriptor(features.descriptors, features.weights)).tobytes(),
        jpeg=encode_jpeg(kept) if settings.keep_pictures else None,
        orb=None if features.orb is None else features.orb.tobytes(),
    )
    return PreparedPicture(features=stored, level=level_of(value), size=size, keypoints=len(rows))
