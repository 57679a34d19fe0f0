"""CSV files as programs write them: encodings, delimiters, blanks, and what is wrong said with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.compare.files import Timing, read_rows, write_rows
from benchmarks.compare.score.homographies import read_homographies
from benchmarks.sets import read_set
from benchmarks.tables_in import read_table
from engine.errors import ResearchError

PLAIN = "query,ref\r\nq1.jpg,a.jpg\r\nq2.jpg,\r\n"
EXPECTED = [{"query": "q1.jpg", "ref": "a.jpg"}, {"query": "q2.jpg", "ref": ""}]
WRITINGS = {
    "plain": PLAIN.encode(),
    "with a mark": PLAIN.encode("utf-8-sig"),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16, the other end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs in UTF-16": PLAIN.replace(",", "\t").encode("utf-16"),
    "told by Excel": f"sep=;\r\n{PLAIN.replace(',', ';')}".encode(),
    "blanks": PLAIN.replace(",", " , ").encode(),
    "empty lines": PLAIN.replace("\r\n", "\r\n\r\n").encode() + b" , \r\n",
    "capitals": PLAIN.replace("query,ref", "Query,Ref").encode(),
    "line feeds": PLAIN.replace("\r\n", "\n").encode(),
    "another column": PLAIN.replace("query,ref", "query,why,ref").replace(".jpg,", ".jpg,because,", 1).encode(),
}


class TestReadTable:
    @pytest.mark.parametrize("writing", [w for w in WRITINGS if w != "another column"])
    def test_writings(self, tmp_path: Path, writing: str) -> None:
        """However it was saved, the same rows are read."""
        (tmp_path / "truth.csv").write_bytes(WRITINGS[writing])
        assert [row for _, row in read_table(tmp_path / "truth.csv", ("query", "ref"))] == EXPECTED

    def test_other_columns(self, tmp_path: Path) -> None:
        """What nobody asks for is left alone, and the line of each row is told."""
        (tmp_path / "t.csv").write_text("ref,why,query\na.jpg,because,q.jpg\n\nb.jpg,,p.jpg\n")
        rows = list(read_table(tmp_path / "t.csv", ("query", "ref")))
        assert rows == [(2, {"query": "q.jpg", "ref": "a.jpg"}), (4, {"query": "p.jpg", "ref": "b.jpg"})]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "no column query, ref; the header is empty"),
            (b"photo,ref\nq,a\n", "no column query; the header is photo, ref"),
            (b"query,ref\nq.jpg\n", "line 2: 1 cells where the header has 2"),
            (b'query,ref\n"q,a\n', "line 2: unexpected end of data"),
            (b"\xff\xfeq", "it begins like UTF-16 and is none"),
        ],
    )
    def test_what_is_wrong(self, tmp_path: Path, content: bytes, reason: str) -> None:
        """One sentence with the file, and the line where there is one."""
        (tmp_path / "truth.csv").write_bytes(content)
        with pytest.raises(ResearchError, match=reason) as caught:
            list(read_table(tmp_path / "truth.csv", ("query", "ref")))
        assert str(tmp_path / "truth.csv") in str(caught.value)


class TestEveryFile:
    """All CSV files that people hand over are read by the same rule."""

    @pytest.mark.parametrize("writing", ["with a mark", "UTF-16", "semicolons", "blanks"])
    def test_of_a_set(self, folder: Path, writing: str) -> None:
        text = (folder / "truth.csv").read_text()
        plain = read_set(folder)

        def saved(content: str) -> bytes:
            changed = {"semicolons": content.replace(",", ";"), "blanks": content.replace(",", " , ")}
            encodings = {"with a mark": "utf-8-sig", "UTF-16": "utf-16"}
            return changed.get(writing, content).encode(encodings.get(writing, "utf-8"))

        (folder / "truth.csv").write_bytes(saved(text))
        (folder / "hard_negatives.csv").write_bytes(saved("query,why\nhard.jpg,logo\n"))
        (folder / "also_visible.csv").write_bytes(saved("query,ref\nq1.jpg,b.png\n"))
        numbers = ",".join("100010001")
        header = ",".join(f"h{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))
        (folder / "homographies.csv").write_bytes(saved(f"query,ref,{header}\nq1.jpg,a.jpg,{numbers}\n"))
        found = read_set(folder)
        assert (found.truth, found.hard) == (plain.truth, {"hard.jpg"})
        assert found.also_visible == {"q1.jpg": {"b.png"}}
        assert read_homographies(folder)["q1.jpg", "a.jpg"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_of_a_run(self, tmp_path: Path, encoding: str) -> None:
        rows = [Timing("m", "s", "q;1.jpg", "rank", 1.5)]
        write_rows(tmp_path / "timings.csv", rows)
        text = (tmp_path / "timings.csv").read_text()
        (tmp_path / "timings.csv").write_bytes(text.encode(encoding))
        assert read_rows(tmp_path / "timings.csv", Timing) == rows
