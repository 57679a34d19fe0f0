"""Removing on a full disk: a large gallery keeps room for it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.catalogue import Catalogue, StoredFeatures, reserve
from engine.catalogue import catalogue as module
from engine.errors import StorageFull
from tests.support.made_catalogue import FACTS, add, identifiers
from tests.support.small_disk import fill_up, needs_root, small_disk

REMOVALS: dict[str, Callable[[Catalogue], object]] = {
    "picture": lambda c: c.remove_picture("one", "abc"),
    "pictures": lambda c: c.remove_pictures(c.channel("one"), [c.picture("one", "abc").uuid]),
    "channel": lambda c: c.remove_channel("one"),
}


@pytest.fixture
def large(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Every catalogue counts as large."""
    monkeypatch.setattr(reserve, "FROM", 0)
    return catalogue


@contextlib.contextmanager
def full_while_reserved(catalogue: Catalogue) -> Iterator[list[int]]:
    """Every write fails for want of room as long as the reserve takes it; gives how many did."""
    real, refused = module.writing, [0]

    @contextlib.contextmanager
    def writing(database: sa.Engine) -> Iterator[sa.Connection]:
        with real(database) as connection:
            yield connection
            if (catalogue.folder / reserve.NAME).exists():
                refused[0] += 1
                raise StorageFull(str(catalogue.folder))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "writing", writing)
        yield refused


class TestKept:
    def test_small(self, catalogue: Catalogue) -> None:
        """A small gallery keeps none: it would be the larger part of it."""
        reserve.keep(catalogue.folder)
        assert not (catalogue.folder / reserve.NAME).exists()

    def test_large(self, large: Catalogue) -> None:
        """From its next opening on, and it holds nothing."""
        with contextlib.closing(Catalogue(large.folder)):
            assert (large.folder / reserve.NAME).read_bytes() == bytes(reserve.SIZE)

    def test_made_by_another_too(self, large: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two processes that make it at once leave one, and neither deletes the other's."""
        real = shutil.disk_usage

        def meanwhile(folder: Path) -> Any:
            (large.folder / reserve.NAME).write_bytes(bytes(reserve.SIZE))
            return real(folder)

        monkeypatch.setattr(shutil, "disk_usage", meanwhile)
        reserve.keep(large.folder)
        assert (large.folder / reserve.NAME).read_bytes() == bytes(reserve.SIZE)

    def test_cut_short(self, large: Catalogue) -> None:
        """What a process began that was killed is brought to its end."""
        (large.folder / reserve.NAME).write_bytes(bytes(5))
        reserve.keep(large.folder)
        assert (large.folder / reserve.NAME).read_bytes() == bytes(reserve.SIZE)

    def test_while_it_grows(self, large: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_LOOKED_AFTER", 4)
        for number in range(4):
            assert not (large.folder / reserve.NAME).exists()
            add(large, f"p.{number}")
        assert (large.folder / reserve.NAME).exists()

    def test_little_room(self, large: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
        """It does not itself fill the disk."""
        usage = type(shutil.disk_usage(large.folder))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 3 * reserve.SIZE))
        reserve.keep(large.folder)
        assert not (large.folder / reserve.NAME).exists()

    def test_read_only(self, large: Catalogue) -> None:
        with contextlib.closing(Catalogue(large.folder, read_only=True)):
            assert not (large.folder / reserve.NAME).exists()


class TestRemoving:
    @pytest.mark.parametrize("what", REMOVALS)
    def test_takes_the_reserve(self, large: Catalogue, what: str) -> None:
        add(large, "abc")
        reserve.keep(large.folder)
        with full_while_reserved(large) as refused:
            assert REMOVALS[what](large)
        assert refused == [1]
        assert list(large.all_pictures()) == []
        assert [change.kind for change in large.changes(after=0)] == ["add", "remove"]
        with contextlib.closing(Catalogue(large.folder)):
            assert (large.folder / reserve.NAME).exists()

    def test_adding_leaves_it(self, large: Catalogue) -> None:
        """What takes more room is refused as ever."""
        reserve.keep(large.folder)
        with full_while_reserved(large), pytest.raises(StorageFull):
            add(large, "abc")
        assert (large.folder / reserve.NAME).exists()
        assert identifiers(large) == []

    @pytest.mark.parametrize("what", REMOVALS)
    def test_without_one(self, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
        """Where there is none, nothing changes."""
        add(catalogue, "abc")

        @contextlib.contextmanager
        def writing(_: Any) -> Iterator[Any]:
            raise StorageFull(str(catalogue.folder))
            yield

        with monkeypatch.context() as patched:
            patched.setattr(module, "writing", writing)
            with pytest.raises(StorageFull):
                REMOVALS[what](catalogue)
        assert identifiers(catalogue) == ["abc"]


@pytest.mark.slow
@needs_root
class TestFullDisk:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[Path]:
        with small_disk(tmp_path / "disk", megabytes=40) as disk:
            yield disk

    def fill(self, folder: Path, count: int) -> None:
        features = StoredFeatures(keypoints=b"k" * 6400, vector=b"v" * 1024, jpeg=os.urandom(60_000))
        with contextlib.closing(Catalogue(folder)) as catalogue:
            catalogue.add_channel("one")
            for number in range(count):
                catalogue.add_picture("one", f"pic.{number}", features, **FACTS)

    def test_by_commands(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each opens the gallery on a disk without a free byte; there they could not even read."""
        monkeypatch.setattr(reserve, "FROM", 1_000_000)
        self.fill(folder, 30)
        Catalogue(folder).close()
        fill_up(folder)
        for number in range(30):
            with contextlib.closing(Catalogue(folder)) as catalogue:
                assert catalogue.remove_picture("one", f"pic.{number}")
        with contextlib.closing(Catalogue(folder)) as catalogue:
            assert catalogue.counts() == {"one": 0}

    def test_by_the_server(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It has the gallery open while the disk fills up."""
        monkeypatch.setattr(reserve, "FROM", 1_000_000)
        self.fill(folder, 30)
        with contextlib.closing(Catalogue(folder)) as catalogue:
            fill_up(folder)
            with pytest.raises(StorageFull):
                catalogue.add_channel("two")
            for number in range(30):
                assert catalogue.remove_picture("one", f"pic.{number}")
            assert catalogue.counts() == {"one": 0}

    def test_says_so(self, folder: Path) -> None:
        """Without the reserve nothing can be opened; the disk is named, not SQLite's "disk I/O error"."""
        self.fill(folder, 3)
        fill_up(folder)
        with pytest.raises(StorageFull):
            Catalogue(folder)
