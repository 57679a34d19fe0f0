"""What is stored of a picture that is added: features, a level, a small rendition."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalogue.entries import StoredFeatures
from engine.describe.features import describe_clearly, describe_picture, pack_features
from engine.describe.patch_model import PatchModel
from engine.describe.records import quantise, to_bytes
from engine.detail import what_lacks, working_side
from engine.enrol.quality import level_of, quality
from engine.errors import TooFewFeatures
from engine.image import EncodedImage, encode_jpeg, resize_long_side, trim_margins
from engine.settings import EngineSettings
from engine.values import ColorImage

RENDITION_SIDE = 640
"""Longer side of the kept picture in pixels, at most; a very long one keeps more (`engine.detail.working_side`)."""


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
    trimmed, size = _picture_of(image, settings, trim=trim)
    trimmed, features = describe_clearly(
        trimmed, lambda seen: describe_picture(seen, model, orb=settings.store_orb), least=settings.min_keypoints
    )
    if len(features.keypoints) < settings.min_keypoints:
        raise TooFewFeatures(len(features.keypoints), settings.min_keypoints, what_lacks(trimmed))
    rows = pack_features(features, model)
    vocabulary = model.vocabulary
    value = quality(features.keypoints, vocabulary.words(features.descriptors), features.size)
    side = working_side((trimmed.shape[1], trimmed.shape[0]), RENDITION_SIDE)
    kept = resize_long_side(trimmed, side) if max(trimmed.shape[:2]) > side else trimmed
    stored = StoredFeatures(
        keypoints=to_bytes(rows),
        vector=quantise(vocabulary.global_descriptor(features.descriptors, features.weights)).tobytes(),
        jpeg=encode_jpeg(kept) if settings.keep_pictures else None,
        orb=None if features.orb is None else features.orb.tobytes(),
    )
    return PreparedPicture(features=stored, level=level_of(value), size=size, keypoints=len(rows))


def _picture_of(image: bytes, settings: EngineSettings, *, trim: bool) -> tuple[ColorImage, tuple[int, int]]:
    """The decoded picture without its plain margins, and its width and height in pixels of the file."""
    encoded = EncodedImage(image, limits=settings.limits)
    decoded = encoded.pixels(working_side(encoded.size, RENDITION_SIDE))
    height, width = decoded.shape[:2]
    left, top, right, bottom = trim_margins(decoded) if trim else (0, 0, width, height)
    trimmed = decoded[top:bottom, left:right]  # not copied: a large PNG is whole here, and is shrunk next
    factor = encoded.size[0] / width
    return trimmed, (max(1, round(trimmed.shape[1] * factor)), max(1, round(trimmed.shape[0] * factor)))
