"""A picture's keypoints in 16 bytes each: two uint64, the signature and a packed number.

The packed number holds, from its low end: angle 8 bits (turn / 256), scale 8 bits with a sign (sixteenths of a
pyramid level; below 0 only of very long pictures, which are looked at larger than their frame), y 12 bits and x 12
bits (eighths of a pixel of the picture at 480 pixels), word 20 bits, 4 spare.
Rows stand in the order in which they take part in votes; a record is filled up with zero rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.describe.keypoints import LEVEL_FACTOR, PICTURE_DETECTOR, Keypoints
from engine.kernels import part_of_kernels
from engine.values import Array, FloatArray

KEYPOINTS = PICTURE_DETECTOR.count
RECORD_BYTES = KEYPOINTS * 16
_LOG_LEVEL = np.log(LEVEL_FACTOR)
SCALE_STEP = np.float32(_LOG_LEVEL / 16)
"""Natural logarithm of one step of the packed scale."""
ANGLE_STEP = np.float32(np.pi / 128)
"""Radians of one step of the packed angle."""
PIXEL_STEP = np.float32(0.125)
"""Pixels of the 480-pixel frame in one step of the packed coordinates."""


def pack(keypoints: Keypoints, words: Array, signatures: Array) -> Array:
    """(N, 2) uint64 rows of keypoints in the picture's 480-pixel frame."""
    x, y = (np.clip(np.rint(keypoints.xy * 8), 0, 4095).astype(np.uint64).T) if len(keypoints) else (_none(), _none())
    steps = np.clip(np.rint(16 * np.log(keypoints.scale) / _LOG_LEVEL), -128, 127).astype(np.int64)
    scale = steps.astype(np.uint64) & np.uint64(255)
    angle = np.rint(keypoints.angle * (128 / np.pi)).astype(np.int64).astype(np.uint64) & np.uint64(255)
    packed = angle | scale << np.uint64(8) | y << np.uint64(16) | x << np.uint64(28)
    packed |= words.astype(np.uint64) << np.uint64(40)
    return np.stack([signatures.astype(np.uint64), packed], axis=1)


def _none() -> Array:
    return np.zeros(0, np.uint64)


# The layout in one place. Each takes a packed number, or an array of them; compiled kernels call the same by the
# names without an underscore.


def _x(packed: Any) -> Any:
    return packed >> np.uint64(28) & np.uint64(4095)


def _y(packed: Any) -> Any:
    return packed >> np.uint64(16) & np.uint64(4095)


def _scale(packed: Any) -> Any:
    return (np.int64(packed >> np.uint64(8) & np.uint64(255)) ^ np.int64(128)) - np.int64(128)


def _angle(packed: Any) -> Any:
    return packed & np.uint64(255)


def _word(packed: Any) -> Any:
    return packed >> np.uint64(40) & np.uint64(0xFFFFF)


x_of, y_of, scale_of, angle_of, word_of = (part_of_kernels(f) for f in (_x, _y, _scale, _angle, _word))
"""Steps of x, y, scale and angle, and the 20-bit word, of a packed number: for compiled kernels."""


@part_of_kernels
def record_at(base: Array, later: Array, place: int) -> Array:
    """The (400, 2) record at `place` of two arrays that count as one, `later` behind `base`; for compiled kernels."""
    record: Array = base[place] if place < len(base) else later[place - len(base)]
    return record


def unpack(rows: Array) -> tuple[FloatArray, FloatArray, FloatArray, Array, Array]:
    """xy (N, 2), scale (N,), angle (N,), words (N,) uint32, signatures (N,) uint64 of packed rows (N, 2)."""
    packed = rows[:, 1]
    xy = np.stack([_x(packed), _y(packed)], 1)
    scale = LEVEL_FACTOR ** (_scale(packed).astype(np.float32) / 16)
    angle = _angle(packed).astype(np.float32) * ANGLE_STEP
    words = _word(packed).astype(np.uint32)
    return (xy / 8).astype(np.float32), scale.astype(np.float32), angle.astype(np.float32), words, rows[:, 0]


def frame_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the frame that a record's coordinates lie in, of a picture of `size` pixels."""
    factor = PICTURE_DETECTOR.long_side / max(size)
    return round(size[0] * factor), round(size[1] * factor)


def to_bytes(rows: Array) -> bytes:
    """What the catalogue stores of (N, 2) uint64 rows: little-endian on every machine."""
    return np.ascontiguousarray(rows, "<u8").tobytes()


def from_bytes(data: bytes) -> Array:
    """(N, 2) uint64."""
    return np.frombuffer(data, "<u8").reshape(-1, 2)


def quantise(vector: FloatArray) -> Array:
    """int8 of unit vectors (..., G): 127 stands for three standard deviations of an even spread."""
    scaled: Array = np.rint(vector * (127 / 3 * vector.shape[-1] ** 0.5))
    return np.clip(scaled, -127, 127).astype(np.int8)
