"""A catalogue that has lost changes says so."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path

import pytest

from engine.catalogue import Catalogue, SequenceNote
from engine.upkeep.backup import backup, restore
from tests.support.made_catalogue import FACTS, FEATURES, add, identifiers

MISSING = "were acknowledged"


def opened(folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    """What the opening says."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        Catalogue(folder).close()
    return caplog.text


class TestCatalogue:
    def test_every_change(self, catalogue: Catalogue) -> None:
        """It is noted when it is acknowledged."""
        note = SequenceNote(catalogue.folder / "catalogue.seq")
        assert note.read() == 0
        one, channel = add(catalogue, "one.1"), catalogue.channel("one")
        assert note.read() == 1
        catalogue.update_picture("one", one, metadata="x")
        assert note.read() == 2
        catalogue.replace_picture("one", one, FEATURES, **FACTS)
        assert note.read() == 4
        catalogue.remove_picture("one", one)
        assert note.read() == 5
        catalogue.remove_pictures(channel, [add(catalogue, "one.2").uuid])
        assert note.read() == 7
        add(catalogue, "one.3")
        catalogue.remove_channel("one")
        assert note.read() == catalogue.last_seq() == 9

    @pytest.mark.parametrize("harm", ["lost", "cut", "flipped"])
    def test_its_log_is_damaged(
        self, catalogue: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str
    ) -> None:
        """SQLite passes over what it cannot read of the log of a killed process, in silence."""
        for number in range(6):
            add(catalogue, f"one.{number}")
        folder = tmp_path / "killed"
        shutil.copytree(catalogue.folder, folder)
        log = folder / "catalogue.db-wal"
        content = bytearray(log.read_bytes())
        if harm == "lost":
            # All of it would be missed: the schema is in it, too.
            Catalogue(folder).close()
            with contextlib.closing(Catalogue(folder)) as more:
                shutil.copytree(folder, tmp_path / "before")
                add(more, "one.6")
                shutil.copy(folder / "catalogue.seq", tmp_path / "before")
            folder = tmp_path / "before"
        elif harm == "cut":
            log.write_bytes(content[: -len(content) // 8])
        else:
            content[-len(content) // 8] ^= 1
            log.write_bytes(content)
        assert MISSING in opened(folder, caplog)

    def test_nothing_is_missing(self, catalogue: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Not in a whole copy, nor without a note, nor with one of another form, nor after a restore."""
        for number in range(6):
            add(catalogue, f"one.{number}")
        shutil.copytree(catalogue.folder, tmp_path / "copy")
        assert opened(tmp_path / "copy", caplog) == ""
        backup(catalogue.folder, tmp_path / "kept.tar.gz")
        add(catalogue, "one.6")
        shutil.copytree(catalogue.folder, tmp_path / "newer")
        restore(tmp_path / "kept.tar.gz", tmp_path / "newer", force=True)
        assert opened(tmp_path / "newer", caplog) == ""
        for text in ("", "7", "x" * 20, "-" + "0" * 19):
            (tmp_path / "copy" / "catalogue.seq").write_text(text)
            assert opened(tmp_path / "copy", caplog) == ""
        (tmp_path / "copy" / "catalogue.seq").unlink()
        assert opened(tmp_path / "copy", caplog) == ""

    def test_where_it_cannot_be_written(self, catalogue: Catalogue) -> None:
        """It is only a note."""
        (catalogue.folder / "catalogue.seq").mkdir()
        add(catalogue, "one.1")
        assert identifiers(catalogue) == ["one.1"]
