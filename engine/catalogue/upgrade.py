"""Schema upgrades by Alembic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.catalogue.sqlite import copy_database, is_read_only
from engine.catalogue.transactions import reading, writing
from engine.errors import OtherForm


def upgrade_schema(
    database: sa.Engine, scripts: Path, *, version_table: str, before_the_first: Callable[[], None] | None = None
) -> None:
    """Brings the tables that `scripts` (a folder of Alembic migrations) describes to their newest form.

    Where there is an older form already, the file is copied to `catalogue-before-REVISION.db` first. before_the_first:
    is called where there is none, before one is made. Raises OtherForm where the form is newer than the scripts, or
    older and may not be changed, and the StorageErrors.
    """
    newest = _newest_number(scripts)
    with reading(database) as connection:
        current = _revision(connection, version_table)
    if _is(current, newest):
        return
    path = Path(str(database.url.database))
    if is_read_only(database):
        raise OtherForm(f"{path} needs an upgrade and may not be written: open it once as a user who may write")
    with writing(database) as connection:
        # Asked again: another process may have upgraded it while this one waited for the right to write. Who has that
        # right copies the old form, for nobody can write a new one meanwhile.
        current = _revision(connection, version_table)
        if current is None and before_the_first is not None:
            before_the_first()
        if not _is(current, newest):
            _upgrade(connection, path, scripts, current, version_table)


def _is(current: str | None, newest: str) -> bool:
    return current is not None and current.endswith(newest)


def _upgrade(connection: sa.Connection, path: Path, scripts: Path, current: str | None, version_table: str) -> None:
    # Imported for this alone: it takes longer than all that `obverse list` does.
    import alembic.command
    import alembic.config
    import alembic.script

    config = alembic.config.Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["version_table"] = version_table
    known = alembic.script.ScriptDirectory.from_config(config)
    if current is not None:
        if current not in {script.revision for script in known.walk_revisions()}:
            raise OtherForm(f"{path} is of form {current}, which this Obverse does not know: install a newer one")
        copy = path.with_name(f"catalogue-before-{known.get_current_head()}.db")
        draft = copy.with_name(f"{copy.name}.part")
        draft.unlink(missing_ok=True)
        copy_database(path, draft)
        draft.replace(copy)
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


def _revision(connection: sa.Connection, version_table: str) -> str | None:
    """The revision of the tables that are there; None where there are none."""
    if not sa.inspect(connection).has_table(version_table):
        return None
    return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(version_table)))


def _newest_number(scripts: Path) -> str:
    """The four digits of the newest script, NNNN_name.py: its revision ends with them, too."""
    return max(path.name for path in (scripts / "versions").glob("[0-9]*.py"))[:4]


def run_migrations(config: Any) -> None:
    """What each `env.py` of Alembic calls: runs the scripts on the connection that `upgrade_schema` opened."""
    from alembic import context

    context.configure(
        connection=config.attributes["connection"],
        version_table=config.attributes["version_table"],
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
