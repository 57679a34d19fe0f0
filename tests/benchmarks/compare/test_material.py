"""What a comparison looks at, from sets and from plain folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.compare.material import gather, pair_folders
from benchmarks.sets import read_set
from engine.errors import ResearchError
from tests.support.drawn_sets import drawn, make_set, write


class TestBadInput:
    def test_nothing_to_ask(self, tmp_path: Path) -> None:
        folder = tmp_path / "empty"
        (folder / "refs").mkdir(parents=True)
        (folder / "truth.csv").write_text("query,ref\n")
        with pytest.raises(ResearchError, match="no readable pictures in empty"):
            gather([read_set(folder)], [])

    def test_same_names(self, tmp_path: Path) -> None:
        folders = [make_set(tmp_path / side / "same", range(1)) for side in "ab"]
        with pytest.raises(ResearchError, match="names of their own"):
            gather([read_set(f) for f in folders], [])

    def test_unreadable(self, tmp_path: Path) -> None:
        """Told with the reason and left out: broken pictures and broken photos. Missing ones `read_set` refuses."""
        folder = make_set(tmp_path / "odd", range(2))
        (folder / "refs" / "broken.png").write_bytes(b"no picture")
        (folder / "queries" / "q0.png").write_bytes(b"")
        found = gather([read_set(folder)], [])
        assert [p.ref for p in found.pictures] == ["r0.png", "r1.png"]
        assert [p.query for p in found.photos] == ["q1.png"]
        assert {Path(p).name for p in found.refused} == {"broken.png", "q0.png"}
        assert "not an image" in found.refused[str(folder / "refs" / "broken.png")]


class TestPairFolders:
    def test_names(self, tmp_path: Path) -> None:
        """Same stem, numbered stem, or folder; what agrees with none is a negative."""
        for name in ("a.jpg", "b_1.png", "c.png"):
            write(tmp_path / "covers" / name, drawn(1))
        for name in ("a.png", "a_2.jpg", "a-13.png", "b_1.jpg", "b_1_7.jpg", "c/any thing.png", "b.png", "street.jpg"):
            write(tmp_path / "shots" / name, drawn(2))
        folder = pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "out" / "sets")
        found = read_set(folder)
        assert found.name == "covers"
        assert {q: next(iter(r), "") for q, r in found.truth.items()} == {
            "a.png": "a.jpg", "a_2.jpg": "a.jpg", "a-13.png": "a.jpg", "b_1.jpg": "b_1.png", "b_1_7.jpg": "b_1.png",
            "c/any thing.png": "c.png", "b.png": "", "street.jpg": "",
        }  # fmt: skip
        assert len(gather([found], []).photos) == 8
        assert pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "out" / "sets") == folder

    def test_refusals(self, tmp_path: Path) -> None:
        write(tmp_path / "covers" / "a.jpg", drawn(1))
        write(tmp_path / "shots" / "x.jpg", drawn(1))
        with pytest.raises(ResearchError, match="named after a picture"):
            pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "sets")
        write(tmp_path / "covers" / "deep" / "a.png", drawn(1))
        with pytest.raises(ResearchError, match="two pictures are called a"):
            pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "sets")
