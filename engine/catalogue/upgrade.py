"""Schema upgrades by Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.catalogue.sqlite import copy_database
from engine.catalogue.transactions import translated_errors


def upgrade_schema(database: sa.Engine, scripts: Path, *, version_table: str) -> None:
    """Brings the tables that `scripts` (a folder of Alembic migrations) describes to their newest form.

    Where there is an older form already, the file is copied to `catalogue-before-REVISION.db` first.
    """
    with translated_errors(database), database.connect() as connection:
        current = _revision(connection, version_table)
        connection.rollback()
        if current is not None and current.endswith(_newest_number(scripts)):
            return
        # Imported for this alone: it takes longer than all that `obverse list` does.
        import alembic.command
        import alembic.config
        import alembic.script

        config = alembic.config.Config()
        config.set_main_option("script_location", str(scripts))
        config.attributes["version_table"] = version_table
        if current is not None:
            newest = alembic.script.ScriptDirectory.from_config(config).get_current_head()
            path = Path(str(database.url.database))
            copy_database(path, path.with_name(f"catalogue-before-{newest}.db"))
        config.attributes["connection"] = connection.execution_options(transaction_mode="IMMEDIATE")
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
