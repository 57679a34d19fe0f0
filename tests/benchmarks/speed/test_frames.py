"""Streams of frames, with and without what is remembered of the last miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.speed.frames import CHANNEL, frames_of, run
from engine.image import decode, encode_jpeg
from engine.recognizer import Recognizer
from tests.support.drawn import photo_of, poster


def test_streams(tmp_path: Path) -> None:
    """A stream of a picture that is there is answered at once, either way; one of another thing is missed ten times."""
    with Recognizer.open(tmp_path / "data") as recognizer:
        recognizer.add_channel(CHANNEL)
        recognizer.add(CHANNEL, "poster", encode_jpeg(poster(1)))
        photos = [decode(photo_of(poster(seed), seed=3, strength=0.2).jpeg, long_side=900)[0] for seed in (1, 70)]
        streams = [frames_of(photo, 4, np.random.default_rng(1)) for photo in photos]
        found = run(recognizer, streams)
    assert (found["streams"], found["frames"]) == (2, 8)
    assert found["answered_streams"] == {"with": 1, "without": 1}
    assert found["mean_frames_until_answer"] == {"with": 0.0, "without": 0.0}
    assert found["missed_frames"] >= 4
    assert min(found["missed_ms"].values()) > 0


def test_frames_differ_and_are_the_same_again() -> None:
    first, again = (frames_of(poster(2), 3, np.random.default_rng(5)) for _ in range(2))
    assert first == again
    assert len(set(first)) == 3
