"""Saved files are used with the catalogue whose history they have seen, and with no other."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.catalogue import Catalogue
from engine.describe.vocabulary import Vocabulary
from engine.errors import StorageFull
from engine.index import history, manifest, snapshot
from engine.index.embedded import EmbeddedIndex
from engine.index.folder_lock import FolderLock
from engine.index.keeper import IndexKeeper
from tests.support.made_index import SETTINGS, TAIL, add, fill, finds, reopened


@contextlib.contextmanager
def opened(folder: Path, vocabulary: Vocabulary) -> Iterator[EmbeddedIndex]:
    """As the holder opens it. It ends as a killed one does: nothing is saved."""
    with contextlib.closing(Catalogue(folder)) as catalogue:
        index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
        keeper = IndexKeeper(index, folder, FolderLock(folder))
        keeper.load()
        yield index
        index.close()
        keeper.release()


def copied(folder: Path, target: Path) -> Path:
    """The catalogue as `.backup` of SQLite's shell copies it."""
    with (
        contextlib.closing(sqlite3.connect(folder / "catalogue.db")) as a,
        contextlib.closing(sqlite3.connect(target)) as b,
    ):
        a.backup(b)
    return target


def put_back(copy: Path, folder: Path) -> None:
    """As `cp` does it; the write-ahead log of the other one goes with it."""
    for path in folder.glob("catalogue.db*"):
        path.unlink()
    shutil.copy(copy, folder / "catalogue.db")


def without_number(folder: Path) -> None:
    """The manifest as it was before saves had numbers."""
    path = folder / "index" / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in content.items() if k not in ("save", "files", "blocks", "sum")}))


def all_found(index: EmbeddedIndex, seeds: range) -> bool:
    return all(finds(index, seed)[:1] == [f"one/seed.{seed}"] for seed in seeds)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(params=[False, True], ids=["numbered", "without a number"])
def old(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """What makes of a saved index one of before saves had numbers, or leaves it."""
    return without_number if request.param else lambda _: None


class TestOlderCopy:
    @pytest.mark.parametrize("more", [2, 3 * TAIL], ids=["shorter", "longer"])
    def test_put_back(
        self, folder: Path, tmp_path: Path, vocabulary: Vocabulary, more: int, old: Callable[[Path], None]
    ) -> None:
        """Beside a newer index/, and gone on with until it has seen more changes than that: the same picture numbers
        and log positions stand for other pictures then. Killed or not, all are found."""
        with opened(folder, vocabulary) as index:
            fill(index, range(TAIL))
            copy = copied(folder, tmp_path / "copy.db")
            fill(index, range(100, 100 + 2 * TAIL))
            snapshot.save(index, folder)
        old(folder)
        put_back(copy, folder)
        with contextlib.closing(Catalogue(folder)) as catalogue:
            unsearched = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
            for seed in range(200, 200 + more):
                add(unsearched, seed)
            unsearched.close()
        for _ in range(2):
            with opened(folder, vocabulary) as index:
                assert all_found(index, range(TAIL))
                assert all_found(index, range(200, 200 + more))
                assert index.pictures == TAIL + more

    def test_refused_at_once(
        self, folder: Path, tmp_path: Path, vocabulary: Vocabulary, old: Callable[[Path], None]
    ) -> None:
        """The index is forgotten when it is refused, and the log says why: were it kept, the catalogue could grow into
        its numbers."""
        with opened(folder, vocabulary) as index:
            fill(index, range(3))
            copy = copied(folder, tmp_path / "copy.db")
            fill(index, range(100, 105))
            snapshot.save(index, folder)
        old(folder)
        put_back(copy, folder)
        with opened(folder, vocabulary):
            assert not (folder / "index").exists()

    def test_is_said(
        self, folder: Path, tmp_path: Path, vocabulary: Vocabulary, caplog: pytest.LogCaptureFixture
    ) -> None:
        """That changes are missing is worth a line: the older copy may have been put back unknowingly."""
        with opened(folder, vocabulary) as index:
            fill(index, range(3))
            copy = copied(folder, tmp_path / "copy.db")
            fill(index, range(100, 105))
            snapshot.save(index, folder)
        put_back(copy, folder)
        with caplog.at_level(logging.WARNING), opened(folder, vocabulary):
            assert "what was changed since is not in it" in caplog.text

    def test_of_after_the_save(self, folder: Path, tmp_path: Path, vocabulary: Vocabulary) -> None:
        """A copy that has been through the save may go on with its index, whatever was changed in the other since."""
        with opened(folder, vocabulary) as index:
            fill(index, range(3))
            snapshot.save(index, folder)
            fill(index, range(3, 6))
            copy = copied(folder, tmp_path / "copy.db")
            fill(index, range(100, 105))
        put_back(copy, folder)
        with opened(folder, vocabulary) as index:
            assert len(index.table.arrays[0]) == 3
            assert all_found(index, range(6))
            assert index.pictures == 6

    def test_a_reader_leaves_it(self, folder: Path, vocabulary: Vocabulary) -> None:
        """Who does not hold the folder builds for himself, and deletes nothing."""
        with opened(folder, vocabulary) as index:
            fill(index, range(3))
            snapshot.save(index, folder)
        with contextlib.closing(Catalogue(folder)) as catalogue:
            catalogue.write_meta("index_saves", "another")
            index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
            IndexKeeper(index, folder, None).load()
            assert len(index.table.arrays[0]) == 0
            assert all_found(index, range(3))
            index.close()
        assert (folder / "index" / "manifest.json").is_file()


class TestOtherBranch:
    def test_with_a_larger_position(
        self, folder: Path, tmp_path: Path, vocabulary: Vocabulary, old: Callable[[Path], None]
    ) -> None:
        """Two galleries that were one: the catalogue of the one beside the index of the other."""
        with opened(folder, vocabulary) as index:
            fill(index, range(TAIL))
        shutil.copytree(folder, tmp_path / "branch")
        with opened(folder, vocabulary) as index:
            fill(index, range(100, 105))
            snapshot.save(index, folder)
        with opened(tmp_path / "branch", vocabulary) as index:
            fill(index, range(200, 210))
            snapshot.save(index, tmp_path / "branch")
        old(folder)
        put_back(copied(tmp_path / "branch", tmp_path / "copy.db"), folder)
        with opened(folder, vocabulary) as index:
            assert len(index.table.arrays[0]) == 0
            assert all_found(index, range(TAIL))
            assert all_found(index, range(200, 210))


class TestWithoutNumber:
    """What older versions saved is compared with the catalogue."""

    @pytest.fixture
    def saved(self, folder: Path, vocabulary: Vocabulary) -> Path:
        with opened(folder, vocabulary) as index:
            fill(index, range(2 * TAIL))
            index.catalogue.update_picture("one", "seed.2", active=False)
            index.catalogue.remove_picture("one", "seed.1")
            index.refresh()
            snapshot.save(index, folder)
        without_number(folder)
        return folder

    def test_is_used(self, saved: Path, vocabulary: Vocabulary) -> None:
        """Also where much was changed after the save; and has a number from the next save on."""
        with contextlib.closing(Catalogue(saved)) as catalogue:
            catalogue.update_picture("one", "seed.2", active=True)
            catalogue.update_picture("one", "seed.3", active=False)
            catalogue.remove_picture("one", "seed.4")
            unsearched = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
            add(unsearched, 50)
            add(unsearched, 51)
            unsearched.close()
            catalogue.remove_picture("one", "seed.51")
        with opened(saved, vocabulary) as index:
            assert len(index.table.arrays[0]) == 2 * TAIL
            assert finds(index, 2)[:1] == ["one/seed.2"]
            assert "one/seed.3" not in finds(index, 3)
            assert all_found(index, range(5, 2 * TAIL))
            snapshot.save(index, saved)
        content = manifest.parse((saved / "index" / "manifest.json").read_bytes())
        assert manifest.has_sums(content)
        with opened(saved, vocabulary) as index:
            assert len(index.table.arrays[0]) == index.table.count > 2 * TAIL
            assert all_found(index, range(5, 2 * TAIL))

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE picture SET active = 0 WHERE identifier = 'seed.5'",
            "UPDATE picture SET active = 1 WHERE identifier = 'seed.2'",
            "UPDATE picture SET channel_id = (SELECT id FROM channel WHERE name = 'two') WHERE identifier = 'seed.5'",
            "DELETE FROM picture WHERE identifier = 'seed.5'",
            "UPDATE picture SET id = 1000 WHERE identifier = 'seed.15'",
            "UPDATE feature SET vector = (SELECT vector FROM feature WHERE picture_id = 6) WHERE picture_id = 7",
            "UPDATE feature SET keypoints = (SELECT keypoints FROM feature WHERE picture_id = 6) WHERE picture_id = 7",
        ],
    )
    def test_is_refused(self, saved: Path, vocabulary: Vocabulary, change: str) -> None:
        """Whatever differs from the catalogue without being one of the changes after the save."""
        with contextlib.closing(Catalogue(saved)) as catalogue:
            catalogue.add_channel("two")
        with contextlib.closing(sqlite3.connect(saved / "catalogue.db")) as database, database:
            database.execute(change)
        with opened(saved, vocabulary) as index:
            assert len(index.table.arrays[0]) == 0


class TestNumber:
    def test_a_save_that_does_not_come_to_its_end(
        self, folder: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However often: the files that are there stay good."""
        with opened(folder, vocabulary) as index:
            fill(index, range(3))
            snapshot.save(index, folder)
            fill(index, range(3, 6))
            for _ in range(3):
                with monkeypatch.context() as patched:
                    patched.setattr(manifest, "write", full)
                    with pytest.raises(StorageFull):
                        snapshot.save(index, folder)
        with opened(folder, vocabulary) as index:
            assert len(index.table.arrays[0]) == 3
            assert all_found(index, range(6))

    def test_is_another_at_each_save(self, index: EmbeddedIndex) -> None:
        folder = index.catalogue.folder
        numbers = set()
        for _ in range(3):
            snapshot.save(index, folder)
            number = manifest.save_number(folder / "index")
            assert number is not None
            assert history.knows(index.catalogue, number)
            numbers.add(number)
        assert len(numbers) == 3

    def test_a_reader_while_the_holder_saves(self, index: EmbeddedIndex, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files that are replaced between the reading of the manifest and theirs are no damage: the new ones are
        read."""
        fill(index, range(3))
        folder = index.catalogue.folder
        snapshot.save(index, folder)
        real, times = manifest.parse, [0]

        def parse(text: bytes) -> dict[str, object]:
            times[0] += 1
            if times[0] <= 2:
                snapshot.save(index, folder)
            return real(text)

        with monkeypatch.context() as patched:
            patched.setattr(manifest, "parse", parse)
            again = reopened(index.catalogue, index.vocabulary)
        assert again.table.count == 3
        again.close()


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")
