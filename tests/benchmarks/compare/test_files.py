"""The rows of a run folder survive their files, and malformed files are refused with line and reason."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.compare.files import (
    Grown,
    Listed,
    Prediction,
    Stressed,
    Timing,
    append_rows,
    geometry_line,
    read_geometry,
    read_rows,
    write_rows,
)
from engine.errors import ResearchError

ROW = Prediction("m", "covers", 'a "quoted", name\n.jpg', 1, "//distractors/x.jpg", 0.1 + 0.2, True, 12.5)
HEADER = "method,set,query,rank,ref,score,accepted,ms\n"


class TestRows:
    @pytest.mark.parametrize(
        "row",
        [
            ROW,
            Prediction("m", "s", "q.jpg", 0, "", 0.0, False, 1.0),
            Listed("m", "s", "carriage\rreturn.jpg", 3, "r.jpg", 1.0),
            Listed("m", "s", "q.jpg", 3, "r.jpg", -1e-9),
            Timing("m", "s", "q.jpg", "rank", 0.25),
            Grown("m", 10_000, 20, 0.5, 0.75, 1.0, 33.0),
            Stressed("m", "tilt", 40.0, 12, 0.5, 0.25, 0.0),
        ],
    )
    def test_round_trip(self, row: Prediction, tmp_path: Path) -> None:
        """What is written is read back equal, whatever the names hold."""
        write_rows(tmp_path / "x.csv", [row, row])
        assert read_rows(tmp_path / "x.csv", type(row)) == [row, row]
        assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]

    def test_append(self, tmp_path: Path) -> None:
        """One header, however often rows are added."""
        for _ in range(3):
            append_rows(tmp_path / "x.csv", [ROW])
        assert read_rows(tmp_path / "x.csv", Prediction) == [ROW] * 3
        assert (tmp_path / "x.csv").read_text().count("accepted") == 1

    def test_nothing(self, tmp_path: Path) -> None:
        """No rows make an empty file, which holds no rows."""
        nothing: list[Prediction] = []
        write_rows(tmp_path / "x.csv", nothing)
        append_rows(tmp_path / "x.csv", nothing)
        assert read_rows(tmp_path / "x.csv", Prediction) == []

    def test_from_a_spreadsheet(self, tmp_path: Path) -> None:
        """A byte-order mark, other line ends and another order of the columns are read alike."""
        text = "ms,method,set,query,rank,ref,score,accepted\r\n,m,s,q,1,r,1,0\r\n"
        (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
        (row,) = read_rows(tmp_path / "x.csv", Prediction)
        assert (row.method, row.rank, row.accepted, row.score) == ("m", 1, False, 1.0)

    def test_unmeasured(self, tmp_path: Path) -> None:
        """A time that nobody measured is an empty cell."""
        write_rows(tmp_path / "x.csv", [Timing("m", "s", "q", "all", math.nan)])
        assert (tmp_path / "x.csv").read_text().endswith("all,\n")
        assert math.isnan(read_rows(tmp_path / "x.csv", Timing)[0].ms)

    @given(
        name=st.text(st.characters(exclude_categories=["Cs"])), score=st.floats(allow_nan=False, allow_infinity=False)
    )
    def test_any_name_and_score(self, name: str, score: float, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("rows") / "x.csv"
        row = Listed(name, name, name, 1, name, score)
        write_rows(path, [row])
        assert read_rows(path, Listed) == [row]

    @pytest.mark.parametrize(
        ("text", "line", "reason"),
        [
            ("method,query\n", 1, "header"),
            (HEADER + "m,s,q,1,r,0.5,1\n", 2, "cells"),
            (HEADER + "m,s,q,1,r,0.5,1,2\nm,s,q,x,r,0.5,1,2\n", 3, "rank is 'x'"),
            (HEADER + "m,s,q,-1,r,0.5,1,2\n", 2, "rank is '-1'"),
            (HEADER + "m,s,q,1,r,sure,1,2\n", 2, "score is 'sure'"),
            (HEADER + "m,s,q,1,r,nan,1,2\n", 2, "score is 'nan'"),
            (HEADER + "m,s,q,1,r,,1,2\n", 2, "score is ''"),
            (HEADER + "m,s,q,1,r,0.5,True,2\n", 2, "accepted is 'True'"),
            (HEADER + 'm,s,"q"x,1,r,0.5,1,2\n', 2, "expected after"),
        ],
    )
    def test_malformed(self, text: str, line: int, reason: str, tmp_path: Path) -> None:
        """The error names file, line and reason."""
        (tmp_path / "x.csv").write_text(text)
        with pytest.raises(ResearchError, match=rf"x\.csv, line {line}: .*{reason}"):
            read_rows(tmp_path / "x.csv", Prediction)


class TestGeometry:
    def test_round_trip(self, tmp_path: Path) -> None:
        """At most 60 inliers are kept, an even sample."""
        inliers = np.arange(800.0).reshape(200, 4)
        (tmp_path / "g.jsonl").write_text(geometry_line("m", "s", "q", "r", np.eye(3), inliers))
        (read,) = read_geometry(tmp_path / "g.jsonl")
        assert read.H_picture_to_photo == (1, 0, 0, 0, 1, 0, 0, 0, 1)
        assert 40 <= len(read.inliers) <= 60
        assert read.inliers[1] == (16, 17, 18, 19)

    @pytest.mark.parametrize(
        "line", ["", "{}", "[]", '{"method": 1, "set": "", "query": "", "ref": "", "H": [], "inliers": []}']
    )
    def test_malformed(self, line: str, tmp_path: Path) -> None:
        (tmp_path / "g.jsonl").write_text(line + "\n")
        with pytest.raises(ResearchError, match="line 1"):
            read_geometry(tmp_path / "g.jsonl")
