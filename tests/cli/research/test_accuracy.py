"""`obverse recall`, `evaluate`, `calibrate` on a set drawn for the purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy.outcomes import LOOK_SIZES
from tests.support.commands import photograph, run, write


@pytest.fixture(scope="module")
def drawn_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six references, a photo of each, and a photo that must match nothing."""
    folder = tmp_path_factory.mktemp("sets") / "posters"
    (folder / "queries").mkdir(parents=True)
    rows = ["query,ref"]
    for number in range(6):
        write(folder / "refs" / f"{number}.jpg", number)
        photograph(folder / "queries" / f"q{number}.jpg", number)
        rows.append(f"q{number}.jpg,{number}.jpg")
    photograph(folder / "queries" / "none.jpg", 33)
    (folder / "truth.csv").write_text("\n".join([*rows, "none.jpg,"]) + "\n")
    return folder


def test_recall(drawn_set: Path, gallery: Path) -> None:
    done = run(
        "recall", drawn_set, "--depths", "1,5", "--distractors", gallery.parent / "pictures", "--limit", 2, "--json"
    )
    assert done.status == 0, done.err
    assert done.json["gallery"] == 8
    assert list(done.json["sets"]) == ["posters"]
    figures = done.json["all"]
    assert figures["queries"] == 6
    for name in ("shortlist_recall", "votes_recall", "global_recall"):
        assert list(figures[name]) == ["1", "5"]
    assert list(figures["geometry_recall"]) == ["1", "3", "10"]
    assert figures["geometry_recall"]["10"] == figures["ceiling"] == 1.0
    assert run("recall", drawn_set, "--depths", "1,x").status == 2


def test_evaluate(drawn_set: Path, tmp_path: Path) -> None:
    data, kept = ("--data", tmp_path / "data"), tmp_path / "outcomes.jsonl"
    done = run("evaluate", drawn_set, *data, "--outcomes", kept, "--json")
    assert done.status == 0, done.err
    figures = done.json["all"]
    wanted = {"queries", "positives", "recall_at_1", "wrong", "false_accepts_easy", "false_accepts_hard"}
    assert wanted | {"p50_ms", "p95_ms", "stages_ms"} <= set(figures)
    assert (figures["queries"], figures["positives"], figures["wrong"]) == (7, 6, 0)
    assert figures["recall_at_1"] == 1.0
    assert len(kept.read_text().splitlines()) == 7
    halves = [
        run("evaluate", drawn_set, *data, "--split", s, "--json").json["all"]["queries"] for s in ("fit", "report")
    ]
    assert sum(halves) == 7


def test_calibrate(drawn_set: Path, tmp_path: Path) -> None:
    """Writes a fit that `evaluate` takes."""
    fitted = tmp_path / "fitted.json"
    done = run("calibrate", drawn_set, "--out", fitted, "--split", "all", "--json")
    assert done.status == 0, done.err
    assert (done.json["photos"], done.json["looks"]) == (7, 5)
    assert (done.json["split"], done.json["threshold_split"]) == ("all", "all")
    threshold = run("evaluate", drawn_set, "--calibration", fitted, "--json").json["threshold"]
    assert threshold == pytest.approx(done.json["threshold"], abs=0.01)


def test_the_threshold_may_be_chosen_on_more(drawn_set: Path, tmp_path: Path) -> None:
    """A fit on one half, and its threshold on both, by fewer looks."""
    fitted = tmp_path / "fitted.json"
    options = ("--split", "report", "--threshold-split", "all", "--looks", 2, "--json")
    done = run("calibrate", drawn_set, "--out", fitted, *options)
    assert done.status == 0, done.err
    assert 0 < done.json["photos"] < 7
    assert (done.json["looks"], done.json["split"], done.json["threshold_split"]) == (2, "report", "all")


def test_no_more_looks_than_there_are(drawn_set: Path, tmp_path: Path) -> None:
    fitted = tmp_path / "fitted.json"
    done = run("calibrate", drawn_set, "--out", fitted, "--looks", len(LOOK_SIZES) + 1)
    assert done.status == 2
    assert f"less than or equal to {len(LOOK_SIZES)}" in " ".join(done.err.replace("│", " ").split())


def test_calibrate_needs_right_and_wrong(tmp_path: Path) -> None:
    (tmp_path / "one" / "queries").mkdir(parents=True)
    write(tmp_path / "one" / "refs" / "0.jpg", 0)
    photograph(tmp_path / "one" / "queries" / "q.jpg", 0)
    (tmp_path / "one" / "truth.csv").write_text("query,ref\nq.jpg,0.jpg\n")
    done = run("calibrate", tmp_path / "one", "--out", tmp_path / "fitted.json", "--split", "all")
    assert done.status == 1
    assert "right and wrong candidates are both needed" in done.err


def test_a_folder_that_is_no_set(tmp_path: Path) -> None:
    done = run("evaluate", tmp_path)
    assert done.status == 1
    assert "truth.csv" in done.err


def test_series(gallery: Path, drawn_set: Path, tmp_path: Path) -> None:
    """A set of made series, and a fit that takes it beside real photos."""
    done = run("series", gallery.parent / "pictures", "--photos", 3, "--out", tmp_path / "made", "--json")
    assert done.status == 0, done.err
    assert done.json["photos"] == 3
    fitted = tmp_path / "fitted.json"
    options = ("--split", "all", "--looks", 1, "--made", tmp_path / "made", "--json")
    done = run("calibrate", drawn_set, "--out", fitted, *options)
    assert done.status == 0, done.err
    assert (done.json["sets"], done.json["photos"], done.json["made"]) == (["posters"], 7, 3)
    again = run("series", gallery.parent / "pictures", "--out", tmp_path / "made")
    assert again.status == 1
    assert "not empty" in again.err
