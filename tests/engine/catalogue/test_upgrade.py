"""Older forms of the tables, brought to the newest."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import alembic.script
import pytest
import sqlalchemy as sa

from api.accounts import store as accounts
from engine.catalogue import Catalogue
from engine.catalogue.catalogue import MIGRATIONS
from engine.catalogue.sqlite import DATABASE_NAME
from engine.catalogue.upgrade import upgrade_schema
from tests.support.made_catalogue import add

LATER = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "engine0003", "engine0002", None, None
def upgrade():
    op.add_column("picture", sa.Column("note", sa.Text))
    {more}
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations with one more step than there is."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0003_note.py").write_text(LATER.format(more="pass"))
    return folder


def columns(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(picture)")]


class TestNumbers:
    @pytest.mark.parametrize("scripts", [MIGRATIONS, accounts.MIGRATIONS], ids=["catalogue", "accounts"])
    def test_files_are_numbered_like_their_revisions(self, scripts: Path) -> None:
        """A script's file begins with the last four digits of its revision, and the newest file holds the newest
        revision: by these digits an opening sees that there is nothing to do, without loading Alembic."""
        folder = alembic.script.ScriptDirectory(str(scripts))
        walked = list(folder.walk_revisions())
        files = {Path(script.path).name: script.revision for script in walked}
        assert len(files) == len(list((scripts / "versions").glob("[0-9]*.py")))
        assert all(name[:4] == revision[-4:] and name[:4].isdigit() for name, revision in files.items())
        assert files[max(files)] == folder.get_current_head()


class TestSchema:
    def test_a_new_one_needs_no_copy(self, catalogue: Catalogue) -> None:
        """The first opening makes the tables, and no copy of nothing."""
        assert list(catalogue.folder.glob("catalogue-before-*")) == []

    def test_opening_again_changes_nothing(self, catalogue: Catalogue) -> None:
        """A catalogue of today's form is left alone."""
        made = add(catalogue, "abc")
        again = Catalogue(catalogue.folder)
        assert again.picture("one", "abc") == made
        assert list(catalogue.folder.glob("catalogue-before-*")) == []
        again.close()

    def test_upgrade_after_a_copy(self, catalogue: Catalogue, later: Path) -> None:
        """An older form is copied, then brought to the newest; nothing is lost on either side."""
        made = add(catalogue, "abc")
        upgrade_schema(catalogue.database, later, version_table="engine_version")
        assert catalogue.picture("one", "abc") == made
        assert "note" in columns(catalogue.folder / DATABASE_NAME)
        copy = catalogue.folder / "catalogue-before-engine0003.db"
        assert "note" not in columns(copy)
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("SELECT identifier FROM picture").fetchall() == [("abc",)]

    def test_a_failed_upgrade(self, catalogue: Catalogue, later: Path) -> None:
        """A step that fails half way leaves the old form."""
        (later / "versions" / "0003_note.py").write_text(LATER.format(more="op.execute('SELECT * FROM nowhere')"))
        made = add(catalogue, "abc")
        with pytest.raises(sa.exc.OperationalError):
            upgrade_schema(catalogue.database, later, version_table="engine_version")
        catalogue.close()
        again = Catalogue(catalogue.folder)
        assert again.picture("one", "abc") == made
        assert "note" not in columns(again.folder / DATABASE_NAME)
        again.close()
