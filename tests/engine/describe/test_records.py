"""Keypoints in 16 bytes, and global descriptors in a byte a number: what the packing keeps, and how exactly."""

from __future__ import annotations

import numpy as np
import pytest

from engine.describe.keypoints import LEVEL_FACTOR, Keypoints
from engine.describe.records import KEYPOINTS, RECORD_BYTES, from_bytes, pack, quantise, to_bytes, unpack


def some(count: int, seed: int = 0) -> tuple[Keypoints, np.ndarray, np.ndarray]:
    """Keypoints over their whole ranges, words and signatures."""
    rng = np.random.default_rng(seed)
    keypoints = Keypoints(
        rng.uniform(0, 480, (count, 2)).astype(np.float32),
        (LEVEL_FACTOR ** rng.uniform(0, 8, count)).astype(np.float32),
        rng.uniform(0, 2 * np.pi, count).astype(np.float32),
        rng.random(count, np.float32),
    )
    words = rng.integers(0, 2**20, count).astype(np.uint32)
    return keypoints, words, rng.integers(0, 2**64, count, np.uint64)


class TestRoundTrip:
    @pytest.mark.parametrize("count", [1, 2, 400])
    def test_precision(self, count: int) -> None:
        """Positions come back within a sixteenth of a pixel, scales within a 32nd of a level, angles within a
        512th of a turn; words and signatures as they were."""
        keypoints, words, signatures = some(count)
        xy, scale, angle, found_words, found_signatures = unpack(pack(keypoints, words, signatures))
        assert np.abs(xy - keypoints.xy).max() <= 1 / 16 + 1e-4
        assert np.abs(np.log(scale / keypoints.scale)).max() <= np.log(LEVEL_FACTOR) / 32 + 1e-4
        turn = np.abs((angle - keypoints.angle + np.pi) % (2 * np.pi) - np.pi)
        assert turn.max() <= np.pi / 256 + 1e-4
        assert (found_words == words).all()
        assert (found_signatures == signatures).all()
        assert ((angle >= 0) & (angle < 2 * np.pi)).all()

    def test_twice(self) -> None:
        """What was unpacked packs to the same bits: nothing drifts."""
        keypoints, words, signatures = some(100, seed=1)
        rows = pack(keypoints, words, signatures)
        xy, scale, angle, found_words, found_signatures = unpack(rows)
        assert (pack(Keypoints(xy, scale, angle, scale), found_words, found_signatures) == rows).all()

    def test_an_angle_of_almost_a_turn(self) -> None:
        """Just below a full turn is zero, and disturbs no other field."""
        angle = np.array([2 * np.pi - 1e-4], np.float32)
        keypoints = Keypoints(np.array([[8, 16]], np.float32), np.ones(1, np.float32), angle, angle)
        xy, scale, found, _, _ = unpack(pack(keypoints, np.zeros(1, np.uint32), np.zeros(1, np.uint64)))
        assert found[0] == 0
        assert (xy[0].tolist(), scale[0]) == ([8, 16], 1)

    def test_outside_the_frame(self) -> None:
        """Positions beyond 0 to 512 pixels are moved to the border and disturb no other field."""
        xy = np.array([[-5, 600], [700, -1]], np.float32)
        one = np.ones(2, np.float32)
        found = unpack(pack(Keypoints(xy, one, one, one), np.full(2, 2**20 - 1, np.uint32), np.zeros(2, np.uint64)))
        assert found[0].tolist() == [[0, 4095 / 8], [4095 / 8, 0]]
        assert (found[3] == 2**20 - 1).all()

    def test_none(self) -> None:
        """No keypoints are no rows."""
        keypoints, words, signatures = some(0)
        rows = pack(keypoints, words, signatures)
        assert rows.shape == (0, 2)
        assert [len(a) for a in unpack(rows)] == [0] * 5


class TestBytes:
    def test_round_trip(self) -> None:
        """Rows become 16 bytes each, and the same rows again."""
        rows = pack(*some(77))
        data = to_bytes(rows)
        assert len(data) == 16 * 77
        assert (from_bytes(data) == rows).all()

    def test_little_endian(self) -> None:
        """A gallery moves between machines: the order of bytes is fixed."""
        assert to_bytes(np.array([[1, 256]], np.uint64)) == bytes([1, *[0] * 8, 1, *[0] * 6])

    def test_no_bytes(self) -> None:
        """Nothing is no rows."""
        assert from_bytes(b"").shape == (0, 2)

    def test_a_picture_is_small(self) -> None:
        """The keypoints of a picture fit well into the target of 12 KB."""
        assert RECORD_BYTES == 16 * KEYPOINTS == 6400


class TestQuantise:
    def test_range(self) -> None:
        """A unit vector becomes bytes of -127 to 127; what lies beyond three deviations is cut."""
        spike = np.zeros(64, np.float32)
        spike[3], spike[4] = 1, -1
        codes = quantise(spike)
        assert codes.dtype == np.int8
        assert (codes[3], codes[4]) == (127, -127)
        assert (quantise(np.zeros(64, np.float32)) == 0).all()

    def test_keeps_the_direction(self) -> None:
        """Little of the direction is lost, of one vector or of several."""
        vector = np.random.default_rng(0).standard_normal(512).astype(np.float32)
        vector /= np.linalg.norm(vector)
        codes = quantise(vector).astype(np.float64)
        assert codes @ vector / np.linalg.norm(codes) > 0.998
        assert (quantise(np.stack([vector, -vector])) == np.stack([codes, -codes])).all()
