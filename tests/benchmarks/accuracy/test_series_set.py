"""Sets of made series: what is in them, and that they are the same each time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmarks.accuracy.series_set import draw_series
from benchmarks.sets import read_set
from engine.errors import ResearchError
from engine.image import encode_jpeg
from tests.support.training_pictures import drawn


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty drawn pictures as files."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(20):
        (folder / f"{seed:03d}.jpg").write_bytes(encode_jpeg(drawn(seed), quality=92))
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Hashes of all files, by name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_set(pictures: Path, tmp_path: Path) -> None:
    """Each photo has its picture, about half of these have a sister, and a set can be read back."""
    assert draw_series([pictures], tmp_path / "made", photos=12, seed=3) == 12
    found = read_set(tmp_path / "made")
    assert len(found.truth) == 12
    names = {path.name for path in found.references()}
    sisters = {name for name in names if name.endswith("-sister.jpg")}
    assert {name for refs in found.truth.values() for name in refs} == names - sisters
    assert 2 <= len(sisters) <= 10


def test_the_same_again(pictures: Path, tmp_path: Path) -> None:
    """A seed says what is made; another one makes another set."""
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        draw_series([pictures], tmp_path / name, photos=4, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "again")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_pictures_that_cannot_be_read_are_passed_over(pictures: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for number, path in enumerate(sorted(pictures.rglob("*.jpg"))[:8]):
        (mixed / f"{number}.jpg").write_bytes(path.read_bytes())
    (mixed / "9.jpg").write_bytes(b"no picture")
    assert 5 <= draw_series([mixed], tmp_path / "made", photos=10, seed=0) <= 6


def test_what_is_refused(pictures: Path, tmp_path: Path) -> None:
    """Nothing is overwritten, and a folder without pictures is named."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ResearchError, match="not empty"):
        draw_series([pictures], tmp_path / "full", photos=4, seed=0)
    assert list((tmp_path / "full").iterdir()) == [tmp_path / "full" / "mine.txt"]
    (tmp_path / "bare").mkdir()
    with pytest.raises(ResearchError, match="bare holds no picture"):
        draw_series([pictures, tmp_path / "bare"], tmp_path / "made", photos=4, seed=0)
    (tmp_path / "bare" / "0.jpg").write_bytes(b"no picture")
    with pytest.raises(ResearchError, match="fewer than five"):
        draw_series([tmp_path / "bare"], tmp_path / "made", photos=4, seed=0)
