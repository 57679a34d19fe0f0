"""Cameras are told apart, and only so many are remembered."""

from __future__ import annotations

from api.rules.frames import Cameras


def test_told_apart() -> None:
    """By user, channel and client; the same one gets its own frames again."""
    cameras = Cameras(1.0)
    keys = [(1, "books", "a"), (2, "books", "a"), (1, None, "a"), (1, "books", "b")]
    first = [cameras.of(*key) for key in keys]
    assert len({id(frames) for frames in first}) == len(keys)
    assert [cameras.of(*key) for key in keys] == first


def test_switched_off() -> None:
    """And for a client that nobody knows."""
    assert Cameras(0).of(1, "books", "a") is None
    assert Cameras(1.0).of(1, "books", "") is None


def test_the_silent_one_is_forgotten() -> None:
    cameras = Cameras(1.0, most=2)
    a, b = cameras.of(1, None, "a"), cameras.of(1, None, "b")
    assert cameras.of(1, None, "a") is a
    cameras.of(1, None, "c")
    assert cameras.of(1, None, "a") is a
    assert cameras.of(1, None, "b") is not b
