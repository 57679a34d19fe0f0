"""ORB's own 256 bits: the descriptor of a verifier that needs no network (Rublee et al. 2011)."""

from __future__ import annotations

import cv2
import numpy as np

from engine.describe.keypoints import EDGE, LEVEL_FACTOR, LEVELS, Keypoints
from engine.values import ByteArray, FloatArray, GrayImage

BYTES = 32


def describe_orb(gray: GrayImage, keypoints: Keypoints) -> ByteArray:
    """(N, 32) uint8 of the image that the keypoints were found in; zeros where ORB gives none."""
    bits = np.zeros((len(keypoints), BYTES), np.uint8)
    octaves = np.rint(np.log(keypoints.scale) / np.log(LEVEL_FACTOR)).astype(int)
    points = [
        cv2.KeyPoint(float(x), float(y), 31 * float(scale), float(np.rad2deg(angle)), 0, int(octave), number)
        for number, ((x, y), scale, angle, octave) in enumerate(
            zip(keypoints.xy, keypoints.scale, keypoints.angle, octaves, strict=True)
        )
    ]
    orb = cv2.ORB.create(scaleFactor=LEVEL_FACTOR, nlevels=LEVELS, edgeThreshold=EDGE)
    found, described = orb.compute(gray, points)
    if found:
        bits[[point.class_id for point in found]] = described
    return bits


def orb_similarities(photo: ByteArray, picture: ByteArray) -> FloatArray:
    """(N, M) in [-1, 1]: 1 less a 128th of the differing bits."""
    signs = [np.unpackbits(b, axis=1).astype(np.float32) * 2 - 1 for b in (photo, picture)]
    similarity: FloatArray = signs[0] @ signs[1].T / np.float32(8 * BYTES)
    return similarity
