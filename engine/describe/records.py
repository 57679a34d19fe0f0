"""A picture's keypoints in 16 bytes each: two uint64, the signature and a packed word.

The packed word holds, from its low end: angle 8 bits (turn / 256), scale 8 bits (sixteenths of a pyramid
level), y 12 bits and x 12 bits (eighths of a pixel of the picture at 480 pixels), word 20 bits, 4 spare.
Rows stand in the order in which they take part in votes; a record is filled up with zero rows.
"""

from __future__ import annotations

import numpy as np

from engine.describe.keypoints import LEVEL_FACTOR, PICTURE_DETECTOR, Keypoints
from engine.values import Array, FloatArray

KEYPOINTS = PICTURE_DETECTOR.count
RECORD_BYTES = KEYPOINTS * 16
_LOG_LEVEL = np.log(LEVEL_FACTOR)


def pack(keypoints: Keypoints, words: Array, signatures: Array) -> Array:
    """(N, 2) uint64 rows of keypoints in the picture's 480-pixel frame."""
    x, y = (np.clip(np.rint(keypoints.xy * 8), 0, 4095).astype(np.uint64).T) if len(keypoints) else (_none(), _none())
    scale = np.clip(np.rint(16 * np.log(keypoints.scale) / _LOG_LEVEL), 0, 255).astype(np.uint64)
    angle = np.rint(keypoints.angle * (128 / np.pi)).astype(np.int64).astype(np.uint64) & np.uint64(255)
    packed = angle | scale << np.uint64(8) | y << np.uint64(16) | x << np.uint64(28)
    packed |= words.astype(np.uint64) << np.uint64(40)
    return np.stack([signatures.astype(np.uint64), packed], axis=1)


def _none() -> Array:
    return np.zeros(0, np.uint64)


def unpack(rows: Array) -> tuple[FloatArray, FloatArray, FloatArray, Array, Array]:
    """xy (N, 2), scale (N,), angle (N,), words (N,) uint32, signatures (N,) uint64 of packed rows (N, 2)."""
    packed = rows[:, 1]
    xy = np.stack([packed >> np.uint64(28) & np.uint64(4095), packed >> np.uint64(16) & np.uint64(4095)], 1)
    scale = LEVEL_FACTOR ** ((packed >> np.uint64(8) & np.uint64(255)).astype(np.float32) / 16)
    angle = (packed & np.uint64(255)).astype(np.float32) * np.float32(np.pi / 128)
    words = (packed >> np.uint64(40) & np.uint64(0xFFFFF)).astype(np.uint32)
    return (xy / 8).astype(np.float32), scale.astype(np.float32), angle.astype(np.float32), words, rows[:, 0]


def to_bytes(rows: Array) -> bytes:
    return np.ascontiguousarray(rows, "<u8").tobytes()


def from_bytes(data: bytes) -> Array:
    """(N, 2) uint64."""
    return np.frombuffer(data, "<u8").reshape(-1, 2)


def quantise(vector: FloatArray) -> Array:
    """int8 of unit vectors (..., G): 127 stands for three standard deviations of an even spread."""
    scaled: Array = np.rint(vector * (127 / 3 * vector.shape[-1] ** 0.5))
    return np.clip(scaled, -127, 127).astype(np.int8)
