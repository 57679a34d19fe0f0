"""Records of pictures that do not exist: keypoints, words and signatures by a random generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.catalogue import StoredFeatures
from engine.describe.keypoints import Keypoints
from engine.describe.records import KEYPOINTS, pack, quantise, to_bytes
from engine.describe.vocabulary import Vocabulary


@dataclass(frozen=True)
class Made:
    """descriptors: (N, 64); rows: (N, 2) uint64; keypoints: N of them in a 480-pixel frame."""

    descriptors: np.ndarray
    rows: np.ndarray
    keypoints: Keypoints

    def stored(self, vocabulary: Vocabulary) -> StoredFeatures:
        vector = quantise(vocabulary.global_descriptor(self.descriptors))
        return StoredFeatures(keypoints=to_bytes(self.rows), vector=vector.tobytes())


def made(vocabulary: Vocabulary, seed: int, count: int = 40) -> Made:
    """One picture; the same for the same seed."""
    rng = np.random.default_rng([13, seed])
    points = rng.standard_normal((count, 64)).astype(np.float32) / 8 + vocabulary.medians
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    keypoints = Keypoints(
        rng.uniform(10, 470, (count, 2)).astype(np.float32),
        (1.2 ** rng.integers(0, 8, count)).astype(np.float32),
        rng.uniform(0, 6.28, count).astype(np.float32),
        np.ones(count, np.float32),
    )
    return Made(points, pack(keypoints, vocabulary.words(points), vocabulary.signatures(points)), keypoints)


_stored: dict[tuple[int, int], tuple[Vocabulary, StoredFeatures]] = {}


def stored(vocabulary: Vocabulary, seed: int) -> StoredFeatures:
    """What is stored of the made picture `seed`; computed once, since its global vector takes 20 ms."""
    key = id(vocabulary), seed
    if key not in _stored:
        # With the vocabulary, so that it stays and no other gets its id.
        _stored[key] = vocabulary, made(vocabulary, seed).stored(vocabulary)
    return _stored[key][1]


def photographed(picture: Made, seed: int, *, noise: float = 0.03, strangers: int = 20) -> Made:
    """The picture's keypoints turned, scaled, shifted and disturbed, among strangers. rows stay the picture's."""
    rng = np.random.default_rng([17, seed])
    count = len(picture.descriptors)
    near = picture.descriptors + rng.normal(0, noise, (count, 64)).astype(np.float32)
    far = rng.standard_normal((strangers, 64)).astype(np.float32)
    points = np.concatenate([near, far]).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    turn, size = rng.uniform(-3, 3), rng.uniform(0.7, 1.4)
    matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    xy = picture.keypoints.xy @ matrix.T + [300, 200] + rng.normal(0, 2, (count, 2))
    keypoints = Keypoints(
        np.concatenate([xy, rng.uniform(0, 640, (strangers, 2))]).astype(np.float32),
        np.concatenate([picture.keypoints.scale * size, np.ones(strangers)]).astype(np.float32),
        np.concatenate([picture.keypoints.angle + turn, np.zeros(strangers)]).astype(np.float32),
        np.ones(count + strangers, np.float32),
    )
    return Made(points, picture.rows, keypoints)


def table_of(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(S, 400, 2) records and (S,) int32 counts of rows."""
    records = np.zeros((len(pictures), KEYPOINTS, 2), np.uint64)
    for record, rows in zip(records, pictures, strict=True):
        record[: len(rows)] = rows
    return records, np.array([len(rows) for rows in pictures], np.int32)
