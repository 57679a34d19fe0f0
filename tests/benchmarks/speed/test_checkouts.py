"""Two checkouts in turns: what is counted as a hit and a miss, and that each process measures its own checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.checkouts import Turn, compare, evenly, machine, summary
from tests.support.drawn_sets import make_set
from tests.support.paths import ROOT


def turn(*rows: tuple[str | None, float]) -> Turn:
    """Answers and milliseconds of processor time; wall-clock is twice that."""
    return [{"answer": answer, "processor": spent, "wall": 2 * spent} for answer, spent in rows]


class TestSummary:
    def test_by_hand(self) -> None:
        """A hit, a miss, a photo that is answered otherwise, and one that is answered in some turns only."""
        before = [turn(("a", 100), (None, 400), ("b", 1), ("c", 1)), turn(("a", 100), (None, 200), ("b", 1), ("c", 1))]
        after = [turn(("a", 50), (None, 40), ("d", 1), ("c", 1)), turn(("a", 60), (None, 40), ("d", 1), (None, 1))]
        found = summary(before, after)
        assert found["changed"] == 2
        assert found["hits"]["photos"] == found["misses"]["photos"] == 1
        assert found["hits"]["processor"] == {
            "before_ms": 100, "after_ms": 55, "after_p50_ms": 55, "ratio": 0.55,
            "ratio_least": 0.5, "ratio_largest": 0.6,
        }  # fmt: skip
        assert found["misses"]["wall"]["ratio"] == 0.15
        assert (found["misses"]["wall"]["ratio_least"], found["misses"]["wall"]["ratio_largest"]) == (0.1, 0.2)

    def test_no_miss(self) -> None:
        """Nothing is said of what no photo was."""
        assert summary([turn(("a", 1))], [turn(("a", 1))])["misses"] is None


class TestParts:
    def test_evenly(self) -> None:
        """From the first to the last part of the files; all where they are few."""
        files = [Path(str(n)) for n in range(10)]
        assert evenly(files, 4) == [Path("0"), Path("2"), Path("5"), Path("7")]
        assert evenly(files, 10) == evenly(files, 99) == files

    def test_machine(self) -> None:
        """Every figure stands beside a processor's name."""
        assert machine()["processor"]


class TestCompare:
    @pytest.mark.slow
    def test_with_itself(self, tmp_path: Path) -> None:
        """Real processes on drawn pictures: hits are hits, misses are misses, and the time of both is told."""
        drawn = make_set(tmp_path / "set", range(3), range(50, 52))
        pictures, photos = sorted((drawn / "refs").iterdir()), sorted((drawn / "queries").iterdir())
        found = compare(ROOT, ROOT, pictures, photos, work=tmp_path, threads=1, turns=1)
        assert (found["hits"]["photos"], found["misses"]["photos"], found["changed"]) == (3, 2, 0)
        assert found["hits"]["processor"]["before_ms"] > 0

    def test_no_checkout(self, tmp_path: Path) -> None:
        """A folder that holds no engine is refused, though one is installed."""
        with pytest.raises(SystemExit, match="failed"):
            compare(tmp_path, ROOT, [], [], work=tmp_path / "work", threads=1, turns=1)
