"""A restore that ends too early, at any of its steps: the gallery of before, or a folder that nobody opens until the
next restore has come to its end. Never a mixture, and nothing is deleted before that end."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.catalogue import Catalogue, StoredFeatures
from engine.errors import DamagedData, FolderNotEmpty
from engine.upkeep.backup import backup, restore

FEATURES = StoredFeatures(keypoints=b"k" * 16, vector=b"v" * 8, jpeg=b"jpeg")
STEPS = ("mkdir", "rename", "replace", "unlink", "chmod", "write_text", "rmtree", "fsync")
"""Calls of the operating system that change a folder or wait for it."""


class Killed(BaseException):
    """Stands for the end of the process; no `except` of ours catches it."""


def made(folder: Path, name: str) -> Path:
    """A gallery with one picture of that name, a key and counts of that content, and an index."""
    with contextlib.closing(Catalogue(folder)) as catalogue:
        catalogue.add_channel("one")
        catalogue.add_picture("one", name, FEATURES, level=3, size=(9, 9), keypoints=1)
    (folder / "secrets.key").write_text(name)
    (folder / "events.duckdb").write_text(name)
    (folder / "index").mkdir()
    (folder / "index" / "manifest.json").write_text(name)
    return folder


def content(folder: Path) -> tuple[list[str], str, str]:
    """Raises what the opening does."""
    with contextlib.closing(Catalogue(folder)) as catalogue:
        pictures = [p.identifier for p in catalogue.all_pictures()]
    return pictures, (folder / "secrets.key").read_text(), (folder / "events.duckdb").read_text()


OLD, NEW = (["old"], "old", "old"), (["new"], "new", "new")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    backup(made(tmp_path / "source", "new"), tmp_path / "kept.tar.gz")
    return tmp_path / "kept.tar.gz"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The gallery that is to be replaced, as a killed process leaves one: with a write-ahead log."""
    folder = made(tmp_path / "made", "old")
    with contextlib.closing(Catalogue(folder)) as catalogue:
        catalogue.write_meta("kept", "in the log")
        shutil.copytree(folder, tmp_path / "old")
    assert (tmp_path / "old" / "catalogue.db-wal").stat().st_size
    return tmp_path / "old"


@contextlib.contextmanager
def killed_at(number: int) -> Iterator[list[str]]:
    """The process ends before the step of that number, and does nothing more on its way out; gives the steps so far."""
    done: list[str] = []

    def counted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def step(*given: object, **named: object) -> object:
            if len(done) >= number:
                raise Killed
            done.append(name)
            return real(*given, **named)

        return step

    with pytest.MonkeyPatch.context() as patched:
        for name in STEPS:
            owner = {"rmtree": shutil, "fsync": os}.get(name, Path)
            patched.setattr(owner, name, counted(name, getattr(owner, name)))
        yield done


def steps(archive: Path, folder: Path) -> int:
    """How many a restore has."""
    with killed_at(10_000) as done:
        restore(archive, folder, force=True)
    return len(done)


class TestCutShort:
    def test_everywhere(self, archive: Path, old: Path, tmp_path: Path) -> None:
        """Before its beginning the old gallery is there; after it the folder is refused with advice, and the same
        command, or that of another archive, comes to the end; then the new one is there, and nothing else."""
        shutil.copytree(old, tmp_path / "counted")
        number = steps(archive, tmp_path / "counted")
        assert number > 10
        seen = []
        for at in range(number):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(old, folder)
            with killed_at(at), pytest.raises(Killed):
                restore(archive, folder, force=True)
            if (folder / "restoring").exists():
                seen.append("refused")
                for use in (content, lambda folder: backup(folder, tmp_path / "not.tar.gz")):
                    with pytest.raises(DamagedData, match="obverse restore"):
                        use(folder)
                assert not (tmp_path / "not.tar.gz").exists()
                restore(archive, folder)
            else:
                seen.append(content(folder))
                restore(archive, folder, force=True)
            assert content(folder) == NEW
            assert not {"index", "restoring", "restore.part"} & {p.name for p in folder.iterdir()}
        assert seen == sorted(seen, key=[OLD, "refused", NEW].index)
        assert {str(what) for what in seen} == {str(OLD), "refused", str(NEW)}

    def test_twice(self, archive: Path, old: Path, tmp_path: Path) -> None:
        """The run that goes on with what another began may be cut short as well."""
        shutil.copytree(old, tmp_path / "counted")
        number = steps(archive, tmp_path / "counted")
        for at in range(number):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(old, folder)
            with killed_at(at), contextlib.suppress(Killed):
                restore(archive, folder, force=True)
            with killed_at(max(0, at - 12)), contextlib.suppress(Killed):
                restore(archive, folder, force=True)
            with contextlib.suppress(DamagedData):
                assert content(folder) in (OLD, NEW)
            restore(archive, folder, force=True)
            assert content(folder) == NEW

    def test_nothing_is_lost(self, archive: Path, old: Path, tmp_path: Path) -> None:
        """While the folder is refused the old files are there, whole: each where it was, or moved aside."""
        shutil.copytree(old, tmp_path / "counted")
        expected = {name: (old / name).read_bytes() for name in ("catalogue.db", "catalogue.db-wal", "secrets.key")}
        for at in range(steps(archive, tmp_path / "counted")):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(old, folder)
            with killed_at(at), pytest.raises(Killed):
                restore(archive, folder, force=True)
            if (folder / "restoring").is_dir():
                for name, bytes_before in expected.items():
                    places = [folder / name, folder / "restoring" / "before" / name]
                    assert bytes_before in [place.read_bytes() for place in places if place.is_file()]

    def test_into_a_new_folder(self, archive: Path, tmp_path: Path) -> None:
        """What was cut short is no gallery that --force would be needed for; a whole one is."""
        number = steps(archive, tmp_path / "counted")
        for at in range(number):
            folder = tmp_path / f"at-{at}"
            with killed_at(at), pytest.raises(Killed):
                restore(archive, folder)
            try:
                restore(archive, folder)
            except FolderNotEmpty:
                assert not (folder / "restoring").exists()
            assert content(folder) == NEW

    def test_by_a_damaged_archive(self, archive: Path, old: Path, tmp_path: Path) -> None:
        """What was begun is finished even then: the folder is whole, and the error is of the archive."""
        shutil.copytree(old, tmp_path / "counted")
        number = steps(archive, tmp_path / "counted")
        for at in range(number):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(old, folder)
            with killed_at(at), pytest.raises(Killed):
                restore(archive, folder, force=True)
            (tmp_path / "damaged.tar.gz").write_bytes(archive.read_bytes()[:-100])
            with pytest.raises(DamagedData):
                restore(tmp_path / "damaged.tar.gz", folder, force=True)
            assert content(folder) in (OLD, NEW)
            assert not (folder / "restore.part").exists()
