"""Pairs of photos: of one picture, and of two."""

from __future__ import annotations

import random
from pathlib import Path

import cv2

from benchmarks.accuracy.photo_pairs import drawn, measure
from benchmarks.sets import read_set
from tests.support.drawn_sets import make_set, photograph, write


def test_pairs(tmp_path: Path) -> None:
    """Photos of one picture agree in many points, those of two in few; negatives are in no pair."""
    folder = make_set(tmp_path / "set", range(4), range(90, 92))
    for seed in range(3):
        turned = cv2.warpAffine(photograph(seed), cv2.getRotationMatrix2D((200, 250), 12, 0.9), (400, 500))
        write(folder / "queries" / f"again{seed}.png", turned)
        with (folder / "truth.csv").open("a") as truth:
            truth.write(f"again{seed}.png,r{seed}.png\n")
    chosen = read_set(folder)
    pairs = list(drawn(chosen, 3, random.Random(0)))
    assert [same for same, _, _ in pairs] == [True] * 3 + [False] * 3
    for same, first, second in pairs:
        assert first != second
        assert (chosen.truth[first] == chosen.truth[second]) == same
    report = measure([chosen], pairs=3, seed=0)
    assert len(report["same"]) == len(report["different"]) == 3
    assert min(report["same"]) > max(report["different"])
    assert report["share_at"]["20"] == {"same": 1.0, "different": 0.0}
