"""`obverse compare` from two folders or a set to a report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.commands import photograph, run, write


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """covers/ and shots/: four pictures, a photo of each, one of nothing; more/: two other pictures."""
    place = tmp_path_factory.mktemp("plain")
    (place / "shots").mkdir()
    for number in range(4):
        write(place / "covers" / f"c{number}.jpg", number)
        photograph(place / "shots" / f"c{number}_1.jpg", number)
    photograph(place / "shots" / "nothing.jpg", 33)
    for number in (40, 41):
        write(place / "more" / f"{number}.png", number)
    return place


def test_from_two_folders_to_a_report(folders: Path, tmp_path: Path) -> None:
    """All files are there, and the run is told in them; again with a method more, it adds that one."""
    out = tmp_path / "out"
    given = ("--pictures", folders / "covers", "--photos", folders / "shots", "--distractors", folders / "more")
    done = run("compare", *given, "--out", out, "--methods", "phash,obverse", "--limit", 1, "--yes")
    assert done.status == 0, done.err
    assert done.out.strip() == str(out / "report.html")
    assert "5 photos, a gallery of 5 pictures" in done.err
    assert "minutes, about" in done.err
    for name in ("run.json", "predictions.csv", "shortlist.csv", "timings.csv", "results.json", "report.html"):
        assert (out / name).stat().st_size > 0, name
    with (out / "predictions.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["method"] == "obverse" and r["rank"] == "1"]
    assert {r["query"]: r["ref"] for r in rows if r["accepted"] == "1"} == {
        f"c{n}_1.jpg": f"c{n}.jpg" for n in range(4)
    }
    before = (out / "predictions.csv").read_text()
    done = run("compare", *given, "--out", out, "--methods", "hog", "--limit", 1, "--yes")
    assert done.status == 0, done.err
    assert (out / "predictions.csv").read_text().startswith(before)
    assert [m["name"] for m in json.loads((out / "run.json").read_text())["methods"]] == ["phash", "obverse", "hog"]
    refused = run("compare", *given, "--out", out, "--methods", "hog", "--yes")
    assert refused.status == 1
    assert "other pictures" in refused.err
    assert "--overwrite" in refused.err
    done = run("compare", *given, "--out", out, "--methods", "hog", "--yes", "--overwrite", "--growth", 100)
    assert done.status == 0, done.err
    assert [m["name"] for m in json.loads((out / "run.json").read_text())["methods"]] == ["hog"]
    assert (out / "growth.csv").read_text().splitlines()[0].startswith("method,gallery,queries")


def test_grid(folders: Path, tmp_path: Path) -> None:
    """Every combination runs behind the chosen list."""
    given = ("--pictures", folders / "covers", "--photos", folders / "shots", "--out", tmp_path / "out")
    done = run("compare", *given, "--methods", "phash", "--grid", "--grid-shortlist", "hog", "--yes")
    assert done.status == 0, done.err
    names = [m["name"] for m in json.loads((tmp_path / "out" / "run.json").read_text())["methods"]]
    assert len(names) in (37, 49)  # without and with AKAZE
    assert {"phash", "hog+sift+prosac+ratio", "hog+patches+magsac+ratio+mutual"} <= set(names)


class TestRefusals:
    def test_nothing(self, tmp_path: Path) -> None:
        done = run("compare", "--out", tmp_path)
        assert done.status == 2
        assert "give folders of sets, or --pictures and --photos" in done.err

    def test_half_a_pair(self, folders: Path, tmp_path: Path) -> None:
        assert run("compare", "--out", tmp_path, "--photos", folders / "shots").status == 2

    def test_no_truth(self, folders: Path, tmp_path: Path) -> None:
        done = run("compare", folders, "--out", tmp_path / "out")
        assert done.status == 1
        assert "has no truth.csv; two plain folders are given by --pictures and --photos" in done.err

    def test_unknown_method(self, folders: Path, tmp_path: Path) -> None:
        given = ("--pictures", folders / "covers", "--photos", folders / "shots", "--out", tmp_path / "out")
        done = run("compare", *given, "--methods", "obvers")
        assert done.status == 1
        assert "no method 'obvers'; did you mean 'obverse'?" in done.err
        done = run("compare", *given, "--methods", "onnx:nowhere.onnx", "--yes")
        assert done.status == 1
        assert "nowhere" in done.err
        assert "Traceback" not in done.err

    @pytest.mark.parametrize("value", ["0", "-3", "some", "1.5"])
    def test_ceiling_queries(self, folders: Path, tmp_path: Path, value: str) -> None:
        given = ("--pictures", folders / "covers", "--photos", folders / "shots", "--out", tmp_path)
        assert run("compare", *given, "--ceiling-queries", value).status == 2
