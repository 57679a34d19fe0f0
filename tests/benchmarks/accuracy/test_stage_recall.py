"""A small set through the whole engine: outcomes of its photos, and recall of the stages."""

from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy.outcomes import collect
from benchmarks.accuracy.stage_recall import recall
from benchmarks.sets import CHANNEL, fill, read_set
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.drawn_sets import drawn, write


class TestEndToEnd:
    def test_collect_and_recall(self, folder: Path, tmp_path: Path) -> None:
        """A small set through the whole engine: filled once, every photo with its outcome, recall by hand."""
        (folder / "also_visible.csv").write_text("query,ref\nq1.jpg,b.png\n")
        (folder / "refs" / "broken.jpg").write_bytes(b"no picture")
        write(tmp_path / "others" / "x.jpg", drawn(50))
        evaluation = read_set(folder)
        with Recognizer.open(tmp_path / "data", EngineSettings(second_look=False)) as recognizer:
            for _ in range(2):
                refused = fill(recognizer, [evaluation], [tmp_path / "others" / "x.jpg"])
                assert [Path(name).name for name in refused] == ["broken.jpg"]
                assert recognizer.catalogue.count(CHANNEL) == 4
            found = {o.query: o for o in collect(recognizer, [evaluation])}
            looks = list(collect(recognizer, [evaluation], side="fit", looks=3))
            shares = recall(recognizer, [evaluation], (1, 3))
        assert set(found) == set(evaluation.truth)
        half = {query for query, one in found.items() if one.side == "fit"}
        assert 0 < len(half) < len(found)
        assert [o.query for o in looks] == [query for query in sorted(half) for _ in range(3)]
        for served, second, third in zip(looks[::3], looks[1::3], looks[2::3], strict=True):
            assert served.candidates == found[served.query].candidates
            assert {tuple(o.right) for o in (served, second, third)} == {tuple(found[served.query].right)}
            if served.right:
                assert second.candidates != served.candidates != third.candidates
        assert found["q1.jpg"].right == [evaluation.identifier("a.jpg")]
        assert found["q1.jpg"].allowed == [evaluation.identifier("b.png")]
        assert found["easy.jpg"].right == []
        for query in ("q1.jpg", "q2.jpg", "q3.jpg"):
            assert found[query].candidates[0][0] in found[query].right
            assert found[query].timings_ms
        assert shares["gallery"] == 4
        part = shares["sets"]["cartons"]
        assert part == shares["all"]
        assert part["queries"] == 3
        assert (part["geometry_recall"], part["ceiling"], part["quotient"]) == (
            {"1": 1.0, "3": 1.0, "10": 1.0},
            1.0,
            1.0,
        )
        assert part["shortlist_recall"]["3"] <= 1
