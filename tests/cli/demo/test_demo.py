"""`obverse demo`."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import run


def test_demo_names_its_photos(tmp_path: Path) -> None:
    """It fills, photographs, recognises and explains; a second run adds nothing."""
    arguments = ("demo", "--out", tmp_path, "--count", 12, "--photos", 3)
    done = run(*arguments)
    assert done.status == 0, done.err
    assert "12 pictures in channel demo" in done.out
    assert "3 of 3 photos named rightly" in done.out
    assert len(list((tmp_path / "explained").glob("*.png"))) == 3
    again = run(*arguments)
    assert "12 pictures in channel demo" in again.out
    assert len(run("list", "--data", tmp_path / "data", "--json").json) == 12


def test_demo_with_pictures_of_ones_own(tmp_path: Path) -> None:
    """Bad files are refused by name; a folder without any picture is refused as a whole."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "bad.jpg").write_text("no picture")
    done = run("demo", "--pictures", tmp_path / "mine", "--out", tmp_path / "out")
    assert done.status == 1
    assert "bad.jpg" in done.err
    assert "no picture that can be used" in done.err
