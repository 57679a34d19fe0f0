"""The report: from a run folder alone, safe against hostile names, clear about what is missing."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.compare.files import Prediction, read_rows, write_rows
from benchmarks.compare.score.results import score
from benchmarks.compare.show.plots import TABLE
from benchmarks.compare.show.report import write_report
from engine.errors import ResearchError

HOSTILE = '<script>alert("1")</script>&$x_1$ \'"><img src=x onerror=alert(2)>.png'


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the visible text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = self._hidden and tag not in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data

    def count(self, tag: str) -> int:
        return sum(t == tag for t, _ in self.tags)


def reported(run_folder: Path) -> Page:
    score(run_folder)
    return Page(write_report(run_folder))


class TestReport:
    def test_self_contained(self, scored_folder: Path) -> None:
        """Nothing is fetched: every picture is a data URL, and no tag names another file or host."""
        page = Page(scored_folder / "report.html")
        sources = [a["src"] for t, a in page.tags if "src" in a]
        assert sources
        assert all(s is not None and s.startswith("data:image/") for s in sources)
        assert not [a for t, a in page.tags if "href" in a or t == "link"]
        assert "http://" not in page.text
        assert "url(" not in (scored_folder / "report.html").read_text()

    def test_pictures_are_small_jpegs(self, scored_folder: Path) -> None:
        page = Page(scored_folder / "report.html")
        shown = [a["src"] or "" for t, a in page.tags if (a.get("src") or "").startswith("data:image/jpeg")]
        images = [cv2.imdecode(np.frombuffer(base64.b64decode(s.split(",")[1]), np.uint8), 1) for s in shown]
        assert len(images) >= 8
        assert all(image is not None and max(image.shape[:2]) <= 2 * 240 + 8 for image in images)

    def test_content(self, scored_folder: Path) -> None:
        """Methods, sets, losses, definitions and failures are told; the baseline's wrong answers come first."""
        text = Page(scored_folder / "report.html").text
        for word in ("obverse", "hash", "tiny", "Perronnin", "10 of them distractors", "stress: blur", "McNemar"):
            assert word in text
        ours = text.split("obverse, 4 shown")[1].split("hash, ")[0]
        kinds = re.findall(r"(wrong|false, hard|missed) · tiny", ours)
        assert kinds == ["false, hard", "wrong", "missed", "missed"]
        assert "answer: //distractors/x.png" in ours
        assert "not in a folder of the run" in ours

    def test_losses_come_before_costs(self, scored_folder: Path) -> None:
        """What is recognised worse stands above what takes longer or more room."""
        text = Page(scored_folder / "report.html").text.split("Where the baseline loses")[1]
        assert text.index("stress: blur") < text.index("adds per second")
        assert text.index("ranked first") < text.index("bytes per picture")

    def test_depths_beyond_the_gallery_are_left_out(self, scored_folder: Path) -> None:
        """Of 14 pictures the first 100 are all."""
        heads = Page(scored_folder / "report.html").text.split("Where the baseline loses")[0]
        assert "shortlist@10" in heads
        assert "shortlist@100" not in heads

    def test_tables_sort(self, scored_folder: Path) -> None:
        """Each column's heading is a button, each cell carries what it is sorted by."""
        page = Page(scored_folder / "report.html")
        assert page.count("button") == page.count("th")
        values = [a["data-value"] for t, a in page.tags if t == "td" and "data-value" in a]
        assert "0.25" in values
        assert "" in values, "unknown"

    def test_matches_are_drawn(self, run_folder: Path) -> None:
        """qa1 is made a failure, so that its geometry is shown."""
        rows = read_rows(run_folder / "predictions.csv", Prediction)
        kept = [r for r in rows if (r.method, r.query) != ("obverse", "qa1.png")]
        write_rows(
            run_folder / "predictions.csv", [*kept, Prediction("obverse", "tiny", "qa1.png", 1, "d.png", 1, False, 9)]
        )
        assert "matches, 3 drawn" in reported(run_folder).text

    def test_hostile_names(self, run_folder: Path, edit_run: Callable[..., None]) -> None:
        """A name of a method, set or file is text, wherever it comes from."""
        folder = run_folder.parent / "tiny"
        name = HOSTILE.replace("/", "|")
        (folder / "refs" / "a.png").rename(folder / "refs" / name)
        for file in ("truth.csv", "homographies.csv"):
            quoted = '"' + name.replace('"', '""') + '"'
            (folder / file).write_text((folder / file).read_text().replace("a.png", quoted))
        rows = [
            Prediction(r.method.replace("hash", HOSTILE), r.set, r.query, r.rank, HOSTILE, r.score, r.accepted, r.ms)
            for r in read_rows(run_folder / "predictions.csv", Prediction)
            if r.rank < 2
        ]
        write_rows(run_folder / "predictions.csv", rows)
        edit_run(command=HOSTILE, refused={HOSTILE: HOSTILE}, machine={HOSTILE: HOSTILE})
        page = reported(run_folder)
        assert page.count("script") == 1
        assert not [a for _, a in page.tags if "onerror" in a]
        assert HOSTILE in page.text

    @pytest.mark.parametrize("ref", ["../../secret.png", "//tiny/../../secret.png", "/secret.png"])
    def test_stays_in_the_folders(self, ref: str, run_folder: Path) -> None:
        """A stranger's predictions cannot bring other files of the machine into the page."""
        (run_folder.parent / "secret.png").write_bytes((run_folder.parent / "tiny/refs/a.png").read_bytes())
        extra = run_folder / "x.csv"
        write_rows(extra, [Prediction("x", "tiny", "qa1.png", 1, ref, 1, True, 1)])
        score(run_folder, [extra])
        text = Page(write_report(run_folder)).text
        assert "not in a folder of the run" in text.split("x, ")[-1]

    def test_unreadable_picture(self, run_folder: Path) -> None:
        """The page says which picture cannot be shown, and why, and holds all others."""
        (run_folder.parent / "tiny" / "refs" / "b.png").write_bytes(b"no picture")
        (run_folder.parent / "tiny" / "queries" / "qc.png").unlink()
        text = reported(run_folder).text
        assert "b.png cannot be shown: not an image" in text
        assert "qc.png cannot be shown: No such file" in text

    def test_nothing_to_show(self, run_folder: Path) -> None:
        (run_folder / "predictions.csv").write_text("")
        for name in ("stress.csv", "growth.csv"):
            (run_folder / name).unlink()
        text = reported(run_folder).text
        assert all(plot.missing in text for plot in TABLE)

    def test_needs_results(self, run_folder: Path) -> None:
        with pytest.raises(FileNotFoundError, match="obverse score"):
            write_report(run_folder)

    def test_malformed_results(self, run_folder: Path) -> None:
        (run_folder / "results.json").write_text("{")
        with pytest.raises(ResearchError, match=r"results\.json: .*; `obverse score .*` makes it anew"):
            write_report(run_folder)

    def test_sample_and_missing_are_told(self, run_folder: Path, edit_run: Callable[..., None]) -> None:
        run = json.loads((run_folder / "run.json").read_text())
        run["methods"][1]["sample"] = 5
        edit_run(methods=run["methods"])
        rows = read_rows(run_folder / "predictions.csv", Prediction)
        write_rows(run_folder / "predictions.csv", [r for r in rows if r.query != "easy.png"])
        text = reported(run_folder).text
        assert "hash (5 photos)" in text
        assert "obverse has no prediction for 1 photos" in text
