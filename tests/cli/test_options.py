"""What commands share: opening a gallery, and how sizes and lists of numbers are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import typer

from cli.options import in_words, opened, whole_numbers
from engine.errors import DataFolderLocked
from engine.index.folder_lock import FolderLock
from tests.support.commands import photograph


class TestOpened:
    @pytest.fixture
    def two_threads(self) -> Iterator[None]:
        """OpenCV with two threads, as a process of someone else's may have it."""
        before = cv2.getNumThreads()
        cv2.setNumThreads(2)
        yield
        cv2.setNumThreads(before)

    @pytest.mark.usefixtures("two_threads")
    def test_one_thread_while_it_is_open(self, gallery: Path, tmp_path: Path) -> None:
        """The libraries' own pools would fight with the engine's; afterwards they are as they were."""
        photo = photograph(tmp_path / "p.jpg", 2).read_bytes()
        with opened(gallery) as recognizer:
            assert cv2.getNumThreads() == 1
            assert recognizer.recognise(photo, ["one"]).answer is not None
        assert cv2.getNumThreads() == 2

    def test_beside_another_holder(self, gallery: Path) -> None:
        """Shared by default; who asks to hold the folder is refused where another does."""
        lock = FolderLock(gallery)
        try:
            with opened(gallery) as recognizer:
                assert recognizer.info()["pictures"] == 6
            with pytest.raises(DataFolderLocked), opened(gallery, shared=False):
                pass
        finally:
            lock.release()


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1_234_567, "1.23 MB"), (5e12, "5 TB"), (2e16, "2e+04 TB")]
)
def test_in_words(size: int, words: str) -> None:
    assert in_words(size) == words


def test_whole_numbers() -> None:
    assert whole_numbers("10, 1,100,10") == [1, 10, 100]
    for wrong in ("", "1,x", "0", "-1", "1.5"):
        with pytest.raises(typer.BadParameter, match="no list of whole numbers"):
            whole_numbers(wrong)
