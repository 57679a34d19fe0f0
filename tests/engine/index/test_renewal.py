"""An index that turns out to be damaged while it is used is built anew, once, and searches go on."""

from __future__ import annotations

import dataclasses
import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.catalogue import Catalogue
from engine.describe.vocabulary import Vocabulary
from engine.errors import ObverseError
from engine.index import loading, snapshot
from engine.index.embedded import SHARED, EmbeddedIndex
from engine.index.folder_lock import FolderLock
from engine.index.keeper import IndexKeeper
from tests.support.made_index import SETTINGS, TAIL, asked, assert_found, fill, filled, finds

BUILT_ANEW = "it is built anew"


@pytest.fixture
def folder(catalogue: Catalogue, vocabulary: Vocabulary) -> Path:
    """With a saved index of all kinds of pictures."""
    index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    filled(index)
    snapshot.save(index, catalogue.folder)
    index.close()
    return catalogue.folder


class Held:
    """An index and who keeps it."""

    def __init__(self, catalogue: Catalogue, vocabulary: Vocabulary) -> None:
        self.index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
        self.keeper = IndexKeeper(self.index, catalogue.folder, FolderLock(catalogue.folder))

    def watched(self) -> None:
        """Until what was loaded is looked at."""
        self.index.renewal.join()


@pytest.fixture
def held(catalogue: Catalogue, vocabulary: Vocabulary, folder: Path) -> Iterator[Held]:  # noqa: ARG001
    """Not loaded yet."""
    made = Held(catalogue, vocabulary)
    yield made
    made.keeper.close()
    made.keeper.release()


def break_norms(index: EmbeddedIndex) -> None:
    """What no file can do that is looked at before it is used: every search of the small channels fails."""
    shard = index.shards[SHARED]
    shard.segments = tuple(
        dataclasses.replace(s, votes=dataclasses.replace(s.votes, norms=np.zeros(0, np.float32)))
        for s in shard.segments
    )


def failing(error: Exception) -> Callable[..., object]:
    def fail(*_given: object, **_named: object) -> object:
        raise error

    return fail


class TestSearch:
    def test_that_fails(self, held: Held, caplog: pytest.LogCaptureFixture) -> None:
        """It is answered, by an index that was built anew; the next ones find that one."""
        held.keeper.load()
        break_norms(held.index)
        with caplog.at_level(logging.WARNING):
            assert finds(held.index, 100, "two")[:1] == ["two/seed.100"]
            assert_found(held.index)
        assert caplog.text.count(BUILT_ANEW) == 1
        assert "IndexError" in caplog.text

    def test_that_fails_again(self, held: Held, caplog: pytest.LogCaptureFixture) -> None:
        """What fails with an index that no file has spoilt is our own fault: it is raised, and nothing is built again
        and again."""
        held.keeper.load()
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                break_norms(held.index)
                if not caplog.text:
                    finds(held.index, 100, "two")
                    break_norms(held.index)
                with pytest.raises(IndexError):
                    finds(held.index, 100, "two")
        assert caplog.text.count(BUILT_ANEW) == 1

    def test_many_at_once(self, held: Held, caplog: pytest.LogCaptureFixture) -> None:
        """The damaged index is built anew once, and all are answered by that."""
        held.keeper.load()
        break_norms(held.index)
        found: list[list[str]] = []
        with caplog.at_level(logging.WARNING):
            threads = [
                threading.Thread(target=lambda: found.append(finds(held.index, 100, "two")[:1])) for _ in range(6)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert found == [["two/seed.100"]] * 6
        assert caplog.text.count(BUILT_ANEW) == 1

    def test_without_memory(self, held: Held, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A search that finds no memory says nothing about the files, and takes none to build them anew."""
        held.keeper.load()
        table = held.index.table
        with monkeypatch.context() as patched:
            patched.setattr(held.index, "_shortlist", failing(MemoryError("no room")))
            with pytest.raises(MemoryError):
                finds(held.index, 100, "two")
        assert held.index.table is table
        assert (folder / "index" / "manifest.json").exists()

    def test_at_the_end(self, held: Held, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        """What a search meets while the gallery is closed is raised as it is: the index is not damaged."""
        held.keeper.load()
        asking = asked(held.index, 100, "two")
        with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
            patched.setattr(held.index, "_shortlist", failing(RuntimeError("no new futures")))
            held.index.close()
            with pytest.raises(RuntimeError, match="no new futures"):
                held.index.rank(*asking)
        assert caplog.messages == []

    def test_while_another_takes_its_place(self, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
        """A search that has its slots when the index is replaced asks again: they are nothing to the new table."""
        held.keeper.load()
        for seed in range(1, 19):
            held.index.catalogue.remove_picture("one", f"seed.{seed}")
        held.index.refresh()
        real, replaced = held.index._shortlist, []

        def shortlist(*given: object, **named: object) -> object:
            found = real(*given, **named)  # type: ignore[arg-type]
            if not replaced:
                replaced.append(held.index.table.count)
                held.index.renewal.build_anew(held.index.table, "for this test")
                assert held.index.table.count < replaced[0]
            return found

        monkeypatch.setattr(held.index, "_shortlist", shortlist)
        assert finds(held.index, 129, "two")[:1] == ["two/seed.129"]
        assert replaced


class TestBackground:
    @pytest.fixture(autouse=True)
    def large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every file counts as large."""
        monkeypatch.setattr(loading, "_AT_ONCE", 0)

    def harm(self, folder: Path, kind: str) -> None:
        path = next((folder / "index").glob(kind))
        content = bytearray(path.read_bytes())
        content[-9] ^= 4
        path.write_bytes(content)

    def test_nothing_wrong(self, held: Held, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            held.keeper.load()
            held.watched()
        assert caplog.messages == []
        assert len(held.index.table.arrays[0]) == held.index.table.count

    @pytest.mark.parametrize("kind", ["records.bin", "vectors.bin", "segment-*[0-9a-f]-slots.npy", "*-signatures.npy"])
    def test_damaged(self, held: Held, folder: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
        """The index is built anew, its files are replaced, and the next start has nothing to say."""
        self.harm(folder, kind)
        with caplog.at_level(logging.WARNING):
            held.keeper.load()
            held.watched()
        assert caplog.text.count(BUILT_ANEW) == 1
        assert "is not what was written" in caplog.text
        assert_found(held.index)
        held.keeper.close()
        held.keeper.release()
        caplog.clear()
        again = Held(held.index.catalogue, held.index.vocabulary)
        with caplog.at_level(logging.WARNING):
            again.keeper.load()
            again.watched()
        assert caplog.messages == []
        assert_found(again.index)
        held.index, held.keeper = again.index, again.keeper

    def test_grows_meanwhile(self, held: Held, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Saves during and after it change nothing of what is looked at; damage of a block that a save goes on from is
        still seen at the next start."""
        self.harm(folder, "records.bin")
        index = EmbeddedIndex(held.index.catalogue, held.index.vocabulary, SETTINGS)
        checks: list[Callable[[threading.Event], str | None]] = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(index.renewal, "watch", lambda _, check: checks.append(check))
            assert snapshot.load(index, folder)
        fill(index, range(300, 300 + TAIL))
        snapshot.save(index, folder)
        assert checks[0](threading.Event()) == "records.bin is not what was written"
        index.close()
        with caplog.at_level(logging.WARNING):
            held.keeper.load()
            held.watched()
        assert caplog.text.count(BUILT_ANEW) == 1
        assert_found(held.index)

    def test_closing(self, held: Held, folder: Path) -> None:
        """What is looked at, or built anew, is not waited for."""
        self.harm(folder, "records.bin")
        held.index.renewal.closing.set()
        held.keeper.load()
        held.watched()
        assert not held.index.catalogue.folder.joinpath("index", "manifest.json.part").exists()

    def test_closing_meanwhile(self, held: Held, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was built when the gallery closes takes no place any more: no save begins that nobody waits for."""
        held.keeper.load()
        table, real = held.index.table, EmbeddedIndex.wait_for_builds

        def wait_and_close(index: EmbeddedIndex) -> None:
            real(index)
            held.index.close()

        with monkeypatch.context() as patched:
            patched.setattr(EmbeddedIndex, "wait_for_builds", wait_and_close)
            with pytest.raises(ObverseError, match="being closed"):
                held.index.renewal.build_anew(table, "for this test")
        assert held.index.table is table
        assert held.keeper._saver is None
        assert (folder / "index" / "manifest.json").exists()

    def test_a_save_that_begins_at_the_end(self, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is waited for: afterwards the folder is somebody else's."""
        held.keeper.load()
        real, ended = held.index.close, []

        def close() -> None:
            held.keeper._save_in_background()
            real()

        monkeypatch.setattr(held.index, "close", close)
        monkeypatch.setattr(held.keeper, "_save_or_say", lambda: (time.sleep(0.2), ended.append(True)))
        held.keeper.close()
        assert ended == [True]


class TestForgotten:
    def test_gives_its_memory_back(self, catalogue: Catalogue, vocabulary: Vocabulary) -> None:
        """An index that nobody has any more is gone at once: one that was large would else stay beside the next."""
        index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
        index.close()
        gone = weakref.ref(index)
        gc.disable()
        try:
            del index
            assert gone() is None
        finally:
            gc.enable()
