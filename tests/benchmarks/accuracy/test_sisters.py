"""Pictures and made sisters, told apart by kind and size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy.sisters import SIZES, run, shrink_for
from benchmarks.compare.stress_set import PHOTO, SHARE
from engine.recognizer import Recognizer
from tests.support.drawn import flat, poster
from training.simulation.sisters import KINDS


@pytest.mark.parametrize("size", [(480, 640), (640, 200), (300, 300)])
def test_size_in_the_photo(size: tuple[int, int]) -> None:
    """The plain view shows a picture at SHARE of the largest size that fits; other sizes follow from it."""
    plain = SHARE * min(PHOTO[0] / size[0], PHOTO[1] / size[1]) * max(size)
    assert shrink_for(size, round(plain)) == pytest.approx(1, abs=0.01)
    assert shrink_for(size, 100) == pytest.approx(2 * shrink_for(size, 200))


def test_run(tmp_path: Path) -> None:
    """Every kind and size is counted; large insets of drawn posters, seen large, are told; what has too little detail
    for a gallery is left out."""
    with Recognizer.open(tmp_path / "data") as recognizer:
        found = run(recognizer, [poster(1), flat(200), poster(2), poster(60)], seed=3)
    assert found["pictures"] == 2
    assert set(found["by_kind"]) == set(KINDS)
    for sizes in found["by_kind"].values():
        assert list(sizes) == [str(size) for size in SIZES]
        assert all(row["told"] + row["wrong"] + row["open"] == 2 for row in sizes.values())
    assert found["by_kind"]["large inset"]["400"]["told"] == 2
    assert found["by_kind"]["large inset"]["400"]["taken"] == 0
