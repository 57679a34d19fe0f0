"""Keypoints and descriptors that methods share: ORB, SIFT, AKAZE, and Obverse's own patches.

A described image is a dict of arrays: xy (N, 2) float32 pixels of the working image, angle (N,) float32 radians,
scale (N,) float32, descriptors (N, ...), and size (2,) int32 width and height of the working image. Bits are uint64
words, SIFT's descriptors uint8, patches' float32.
"""

from __future__ import annotations

import hashlib
from typing import Any

import cv2
import numpy as np

from benchmarks.compare.parts.feature_store import Arrays
from engine.describe.features import describe_photo, describe_picture
from engine.describe.keypoints import PICTURE_DETECTOR
from engine.describe.patch_model import PatchModel
from engine.errors import ResearchError
from engine.image import resize_long_side, to_gray
from engine.recognise.pipeline import LOOKS
from engine.values import Array, ColorImage

PICTURE_SIDE = PHOTO_SIDE = 640
"""Long side of the working images in pixels."""
PICTURE_COUNT, PHOTO_COUNT = 500, 1000
"""Keypoints kept, strongest first: 500 a picture is what ORB's users store; a photo shows more than its picture."""


class Classical:
    """ORB, SIFT or AKAZE of OpenCV with its default parameters but for the number of keypoints."""

    def __init__(self, name: str) -> None:
        self.kind = f"{name}-{PICTURE_SIDE}-{PICTURE_COUNT}-{PHOTO_COUNT}"
        self._name = name

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:
        count = PHOTO_COUNT if photo else PICTURE_COUNT
        gray = to_gray(resize_long_side(image, PHOTO_SIDE if photo else PICTURE_SIDE))
        points, descriptors = self._detector(count).detectAndCompute(gray, None)
        width = {"orb": 32, "sift": 128, "akaze": 61}[self._name]
        if descriptors is None:
            points, descriptors = (), np.zeros((0, width), np.uint8)
        if len(points) > count:  # SIFT gives more where responses tie, AKAZE has no limit of its own
            best = np.argsort([-p.response for p in points], kind="stable")[:count]
            points, descriptors = [points[i] for i in best], descriptors[best]
        table = np.array([(*p.pt, p.size, p.angle) for p in points], np.float32).reshape(-1, 4)
        return {
            "xy": np.ascontiguousarray(table[:, :2]),
            "scale": table[:, 2].copy(),
            "angle": np.deg2rad(table[:, 3]).astype(np.float32),
            "descriptors": _words(descriptors) if self._name != "sift" else descriptors.astype(np.uint8),
            "size": np.array([gray.shape[1], gray.shape[0]], np.int32),
        }

    def _detector(self, count: int) -> Any:
        if self._name == "orb":
            return cv2.ORB.create(nfeatures=count)
        return cv2.SIFT.create(nfeatures=count) if self._name == "sift" else _akaze().create()


def has_akaze() -> bool:
    """OpenCV 5 moved AKAZE to its contrib build: opencv-contrib-python-headless has it, and so has OpenCV 4."""
    return hasattr(cv2, "AKAZE") or hasattr(getattr(cv2, "xfeatures2d", None), "AKAZE")


def _akaze() -> Any:
    if not has_akaze():
        raise ResearchError(f"OpenCV {cv2.__version__} has no AKAZE; use opencv-contrib-python-headless, or OpenCV 4")
    return cv2.AKAZE if hasattr(cv2, "AKAZE") else getattr(cv2, "xfeatures2d").AKAZE  # noqa: B009


def _words(bits: Array) -> Array:
    """(N, B) uint8 as (N, ceil(B / 8)) uint64, filled up with zeros."""
    padded = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return padded.view(np.uint64)


def fingerprint(model: PatchModel) -> str:
    """A name for the model and for the keypoints that it describes: what was kept under another one is made anew."""
    detectors = hashlib.sha256(repr((PICTURE_DETECTOR, *LOOKS)).encode())
    return f"{model.fingerprint}-{detectors.hexdigest()[:8]}"


class Patches:
    """What Obverse's engine reads: its keypoints and learned descriptors, before they are packed."""

    def __init__(self, model: PatchModel) -> None:
        self.kind = f"patches-{fingerprint(model)}"
        self._model = model

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays:
        found = describe_photo(image, self._model) if photo else describe_picture(image, self._model)
        points = found.keypoints
        return {
            "xy": points.xy,
            "scale": points.scale,
            "angle": points.angle,
            "response": points.response,
            "descriptors": found.descriptors,
            "size": np.array(found.size, np.int32),
        }
