"""Images and base64 as this dialect takes them."""

from __future__ import annotations

import base64
import binascii
import re

import numpy as np

from api.dialects.vuforia.errors import NotBase64, UnfitImage
from api.settings import Settings
from engine.errors import ImageTooLarge, NotAnImage
from engine.image import EncodedImage, resize_long_side
from engine.settings import ImageLimits

TARGET_BYTES, TARGET_PIXELS = 2_359_293, 37_748_736
"""Most of a target's image: 2.25 MiB less 3, 6144 x 6144."""
QUERY_BYTES, QUERY_SIDE = 2 * 1024 * 1024, 30_000
"""Most of a photo's file, and of each of its sides."""
LOOKED_AT = 640
"""Longer side, in pixels, at which contrast is measured."""
LEAST_CONTRAST = 5.0
"""Mean standard deviation of the channels, in grey levels, above which a target is no failure: that of the public
tests' stand-in for the vendor's service."""
_ALPHABET = re.compile(r"[A-Za-z0-9+/=]*")
_PADDING = {0: "", 2: "==", 3: "="}


def from_base64(name: str, text: str) -> bytes:
    """As the vendor reads it: padding may be missing, and a single character too many is passed over. name: of the
    field. Raises NotBase64."""
    if not _ALPHABET.fullmatch(text):
        raise NotBase64(name)
    left = len(text) % 4
    try:
        return binascii.a2b_base64(text[:-1] if left == 1 else text + _PADDING[left])
    except binascii.Error as error:
        raise NotBase64(name) from error


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def target_bytes(settings: Settings) -> int:
    """The most bytes of a target's image."""
    return min(TARGET_BYTES, settings.max_image_bytes)


def query_bytes(settings: Settings) -> int:
    """The most bytes of a photo."""
    return min(QUERY_BYTES, settings.max_image_bytes)


def check_target(settings: Settings, image: bytes) -> None:
    """By what stands before the pixels. One that is too small is let in: such a target fails. Raises the ImageErrors,
    UnfitImage."""
    limits = ImageLimits(formats=settings.formats, max_bytes=len(image), max_pixels=10**12, min_side=1)
    encoded = EncodedImage(image, limits=limits)
    if encoded.mode not in ("L", "RGB"):
        raise UnfitImage
    if len(image) > target_bytes(settings):
        raise ImageTooLarge("bytes", len(image), target_bytes(settings))
    width, height = encoded.size
    if width * height > TARGET_PIXELS:
        raise ImageTooLarge("pixels", width * height, TARGET_PIXELS)


def check_photo(settings: Settings, image: bytes) -> None:
    """By what stands before the pixels. Raises the ImageErrors."""
    if not image:
        raise NotAnImage
    limits = ImageLimits(formats=settings.formats, max_bytes=len(image), max_pixels=10**12, min_side=1)
    size = EncodedImage(image, limits=limits).size
    if max(size) > QUERY_SIDE:
        raise ImageTooLarge("pixels on one side", max(size), QUERY_SIDE)


def shows_nothing(settings: Settings, image: bytes) -> bool:
    """Whether an image that shows too little shows hardly any difference at all. Raises TruncatedImage."""
    limits = ImageLimits(formats=settings.formats, max_bytes=len(image), max_pixels=TARGET_PIXELS, min_side=1)
    pixels = EncodedImage(image, limits=limits).pixels(LOOKED_AT)
    if max(pixels.shape[:2]) > LOOKED_AT:  # a large PNG is whole here
        pixels = resize_long_side(pixels, LOOKED_AT)
    return float(np.mean(np.std(pixels, axis=(0, 1)))) <= LEAST_CONTRAST
