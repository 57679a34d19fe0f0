"""Who has opened a gallery before it was restored, or described again, is told so: nothing that he was told is done is
lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.catalogue import Catalogue
from engine.catalogue.sqlite import DATABASE_NAME
from engine.catalogue.transactions import writing
from engine.errors import StorageFailed
from engine.upkeep.backup import backup, restore
from tests.support.made_catalogue import FACTS, FEATURES, add, identifiers


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Catalogue]:
    """With the picture "abc", as it also is in the backup."""
    with contextlib.closing(Catalogue(tmp_path / "data")) as made:
        made.add_channel("one")
        add(made, "abc")
        backup(made.folder, tmp_path / "kept.tar.gz")
        yield made


class TestRestored:
    def test_changes_are_refused(self, beside: Catalogue, tmp_path: Path) -> None:
        restore(tmp_path / "kept.tar.gz", beside.folder, force=True)
        changes = (
            lambda: beside.add_channel("lost"),
            lambda: add(beside, "lost"),
            lambda: beside.remove_picture("one", "abc"),
            lambda: beside.write_meta("lost", "x"),
        )
        for change in changes:
            with pytest.raises(StorageFailed, match="open it anew"):
                change()
        with contextlib.closing(Catalogue(beside.folder)) as anew:
            assert identifiers(anew) == ["abc"]
            assert anew.read_meta("lost") is None
            anew.add_channel("two")

    def test_while_a_change_is_written(self, beside: Catalogue, tmp_path: Path) -> None:
        """What was committed to the file of before is not acknowledged."""
        (tmp_path / "other").mkdir()
        moved = beside.folder / DATABASE_NAME
        with pytest.raises(StorageFailed, match="open it anew"), writing(beside.database):
            moved.rename(tmp_path / "other" / DATABASE_NAME)


class TestDescribedAgain:
    def test_features_are_refused(self, beside: Catalogue) -> None:
        """Those of the old model would never be found; what says nothing about features is taken."""
        beside.write_meta("fingerprint", "old")
        beside.fingerprint = "old"
        add(beside, "xyz")
        with contextlib.closing(Catalogue(beside.folder)) as other:
            other.write_meta("fingerprint", "new")
        with pytest.raises(StorageFailed, match="open it anew"):
            add(beside, "lost")
        with pytest.raises(StorageFailed, match="open it anew"):
            beside.replace_picture("one", "abc", FEATURES, **FACTS)
        assert identifiers(beside) == ["abc", "xyz"]
        assert beside.remove_picture("one", "abc")
