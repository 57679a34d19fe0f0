"""`obverse match`."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.support.commands import photograph, run, write


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write(tmp_path / "picture.jpg", 3)
    return tmp_path / "picture.jpg"


def test_the_same(picture: Path, tmp_path: Path) -> None:
    photo, drawing = photograph(tmp_path / "photo.jpg", 3), tmp_path / "why.png"
    found = run("match", picture, photo, "--json", "--explain", drawing).json
    assert (found["picture"], found["photo"], found["same"]) == (str(picture), str(photo), True)
    assert found["match"]["match_ratio"] > 90
    assert found["match"]["reason"] == "agrees"
    assert set("".join(found["match"]["cells"])) <= {"=", "x", "?"}
    assert len(found["match"]["quad"]) == 4
    assert "identifier" not in found["match"]
    assert cv2.imread(str(drawing)) is not None
    assert run("match", picture, photo).out.startswith("the same picture: match ratio ")


def test_another_one(picture: Path, tmp_path: Path) -> None:
    """No agreement is no error; nothing is drawn, and that is told."""
    photo, drawing = photograph(tmp_path / "photo.jpg", 5), tmp_path / "why.png"
    done = run("match", picture, photo, "--json", "--explain", drawing)
    assert done.status == 0
    assert done.json["same"] is False
    assert drawing.exists() == (done.json["match"] is not None)
    shown = run("match", picture, photo).out
    assert shown.startswith(("another picture", "not surely the same picture"))


def test_refused(picture: Path, tmp_path: Path) -> None:
    """Either file, by its name; a drawing that is no PNG."""
    (tmp_path / "text.jpg").write_text("no image")
    for one, other in ((picture, tmp_path / "text.jpg"), (tmp_path / "text.jpg", picture)):
        done = run("match", one, other)
        assert done.status == 1
        assert "text.jpg" in done.err
    assert run("match", picture, tmp_path / "none.jpg").status == 2
    assert run("match", picture, picture, "--explain", tmp_path / "why.jpg").status == 2


def test_nothing_is_left(picture: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    run("match", picture, picture)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
