"""Made photos of several pictures, and what is found of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.accuracy.several import MOST, SIZE, compose, run
from benchmarks.sets import CHANNEL
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.drawn import poster


def test_compose() -> None:
    """Any number of pictures up to MOST, the same for the same seed."""
    for count in range(1, MOST + 1):
        pictures = [poster(seed) for seed in range(count)]
        one, again = (compose(pictures, poster(50), np.random.default_rng(count)) for _ in range(2))
        assert one.shape == (SIZE[1], SIZE[0], 3)
        assert (one == again).all()


def test_run(tmp_path: Path) -> None:
    """A few photos of three pictures; strangers are in none of the counts."""
    shown = {}
    for seed in range(3):
        path = tmp_path / f"{seed}.jpg"
        path.write_bytes(encode_jpeg(poster(seed), quality=92))
        shown[f"poster.{seed}"] = path
    strangers = [tmp_path / "stranger.jpg"]
    strangers[0].write_bytes(encode_jpeg(poster(70), quality=92))
    with Recognizer.open(tmp_path / "data") as recognizer:
        recognizer.add_channel(CHANNEL)
        for identifier, path in shown.items():
            recognizer.add(CHANNEL, identifier, path.read_bytes())
        found = run(recognizer, shown, strangers, photos=3, seed=1)
    assert sorted(found["by_pictures"]) == [1, 2, 3]
    every = found["all"]
    assert (every["photos"], every["shown"]) == (3, 6)
    assert every["found"] + every["missed"] == 6
    assert every["found"] >= 5
    assert every["invented"] == 0
