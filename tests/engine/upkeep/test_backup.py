"""What a backup is refused of."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from engine.catalogue import Catalogue, last_backup
from engine.errors import DamagedData, StorageBusy, StorageFailed
from engine.upkeep import backup as module
from engine.upkeep.backup import backup


class TestRefused:
    @pytest.mark.parametrize("kind", ["no folder", "nothing", "an empty file"])
    def test_no_gallery(self, tmp_path: Path, kind: str) -> None:
        """None is made of it, and no archive."""
        folder, target = tmp_path / "data", tmp_path / "kept.tar.gz"
        if kind != "no folder":
            folder.mkdir()
        if kind == "an empty file":
            (folder / "catalogue.db").touch()
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StorageFailed, match="holds no gallery"):
            backup(folder, target)
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_lost_catalogue(self, tmp_path: Path) -> None:
        """Other files of a gallery alone are no backup of it."""
        (tmp_path / "secrets.key").write_text("key")
        with pytest.raises(DamagedData, match="is not there"):
            backup(tmp_path, tmp_path / "kept.tar.gz")

    @pytest.mark.parametrize(("kind", "ours"), [("SQLITE_BUSY", StorageBusy), ("SQLITE_CORRUPT", DamagedData)])
    def test_failures(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ours: type[Exception]) -> None:
        """One that is busy is not told as damaged."""
        with contextlib.closing(Catalogue(tmp_path / "data")):
            pass
        error = sqlite3.OperationalError("what SQLite says")
        error.sqlite_errorname = kind  # type: ignore[misc]

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(module, "copy_database", fail)
        with pytest.raises(ours):
            backup(tmp_path / "data", tmp_path / "kept.tar.gz")
        assert not (tmp_path / "kept.tar.gz").exists()


class TestNote:
    def test_when(self, tmp_path: Path) -> None:
        """Of one that was made; a refused one leaves none."""
        with contextlib.closing(Catalogue(tmp_path / "data")):
            pass
        assert last_backup(tmp_path / "data") is None
        with pytest.raises(OSError, match="none"):
            backup(tmp_path / "data", tmp_path / "none" / "kept.tar.gz")
        assert last_backup(tmp_path / "data") is None
        backup(tmp_path / "data", tmp_path / "kept.tar.gz")
        assert abs((last_backup(tmp_path / "data") or 0) - time.time()) < 60
