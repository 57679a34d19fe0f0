"""Evaluation sets: what is read of their folders, and how their objects are divided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.sets import identifier_of, read_set, side_of
from engine.catalogue.rules import IDENTIFIER
from engine.errors import ResearchError
from engine.image_files import list_pictures
from tests.support.drawn_sets import drawn, write


class TestReadSet:
    def test_truth(self, folder: Path) -> None:
        """Several right references, one, or none."""
        found = read_set(folder)
        assert found.name == "cartons"
        assert found.truth == {
            "q1.jpg": {"a.jpg"},
            "q2.jpg": {"a.jpg", "deep/c.jpg"},
            "q3.jpg": {"b.png"},
            "easy.jpg": set(),
            "hard.jpg": set(),
        }
        assert (found.hard, found.also_visible) == (frozenset(), {})

    def test_optional_files(self, folder: Path) -> None:
        """Hard negatives and what else is visible are read where there are files of them."""
        (folder / "hard_negatives.csv").write_text("query,why\nhard.jpg,same logo\n")
        (folder / "also_visible.csv").write_text("query,ref\nq1.jpg,b.png\n")
        found = read_set(folder)
        assert found.hard == {"hard.jpg"}
        assert found.also_visible == {"q1.jpg": {"b.png"}}

    def test_references(self, folder: Path) -> None:
        """References are all pictures below refs, in order; other files are not."""
        (folder / "refs" / "notes.txt").write_text("no picture")
        names = [str(p.relative_to(folder / "refs")) for p in read_set(folder).references()]
        assert names == ["a.jpg", "b.png", "deep/c.jpg"]
        assert list_pictures(folder / "nowhere") == []

    def test_missing(self, tmp_path: Path) -> None:
        """Without truth there is no set."""
        with pytest.raises(FileNotFoundError):
            read_set(tmp_path)

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("q1.jpg,A.JPG", "line 8: .*refs holds no 'A.JPG'; it holds 'a.jpg'"),
            ("q1.jpg,deep\\c.jpg", r"refs holds no 'deep\\\\c.jpg'; it holds 'deep/c.jpg'"),
            ("q1.jpg,e\u0301.jpg", "it holds '\u00e9.jpg'"),
            ("q9.jpg,a.jpg", "line 8: .*queries holds no 'q9.jpg'$"),
            (",a.jpg", "line 8: the photo's name is empty"),
            ("q1.jpg,notes.txt", "'notes.txt' is called like no picture"),
        ],
    )
    def test_names_what_is_not_there(self, folder: Path, row: str, reason: str) -> None:
        """A typing error is told with file, line and what was probably meant: it is not the method's mistake."""
        (folder / "refs" / "notes.txt").write_text("no picture")
        write(folder / "refs" / "\u00e9.jpg", drawn(5))
        with (folder / "truth.csv").open("a") as file:
            file.write(f"{row}\n")
        with pytest.raises(ResearchError, match=reason):
            read_set(folder)
        assert row.split(",")[0] in read_set(folder, with_files=False).truth

    def test_other_files_name_what_is_not_there(self, folder: Path) -> None:
        """Hard negatives are photos of the truth; what is also visible is there."""
        (folder / "hard_negatives.csv").write_text("query\nhrad.jpg\n")
        with pytest.raises(ResearchError, match=r"hard_negatives.csv, line 2: 'hrad.jpg' is not in truth.csv"):
            read_set(folder)
        (folder / "hard_negatives.csv").unlink()
        (folder / "also_visible.csv").write_text("query,ref\nq1.jpg,c.png\n")
        with pytest.raises(ResearchError, match=r"also_visible.csv, line 2: .* holds no 'c.png'"):
            read_set(folder)

    def test_identifiers(self, folder: Path) -> None:
        """Every name has a legal identifier of its own, which another set does not share."""
        names = ["a.jpg", "b.png", "Ünïcode & spaces.jpg", "x" * 300]
        found = {read_set(folder).identifier(n) for n in names} | {identifier_of("other/a.jpg")}
        assert len(found) == 5
        assert all(IDENTIFIER.fullmatch(i) for i in found)


class TestSideOf:
    def test_by_the_reference(self) -> None:
        """All photos of one object are on one side, whatever their names."""
        assert len({side_of(f"q{n}", frozenset({"a.jpg"})) for n in range(20)}) == 1
        assert side_of("q", frozenset({"a.jpg", "b.jpg"})) == side_of("p", frozenset({"b.jpg", "a.jpg"}))

    def test_negatives_by_the_query(self) -> None:
        """Negatives are divided by their own names."""
        assert {side_of(f"q{n}", frozenset()) for n in range(20)} == {"fit", "report"}

    def test_halves(self) -> None:
        """Both sides get about as many objects."""
        share = np.mean([side_of("q", frozenset({f"{n}.jpg"})) == "fit" for n in range(1000)])
        assert 0.45 < share < 0.55
