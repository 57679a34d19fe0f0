"""Schema upgrades by Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import alembic.migration
import alembic.script
import sqlalchemy as sa

from engine.catalogue.sqlite import copy_database
from engine.catalogue.transactions import translated_errors


def upgrade_schema(database: sa.Engine, scripts: Path, *, version_table: str) -> None:
    """Brings the tables that `scripts` (a folder of Alembic migrations) describes to their newest form.

    Where there is an older form already, the file is copied to `catalogue-before-REVISION.db` first.
    """
    config = alembic.config.Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["version_table"] = version_table
    newest = alembic.script.ScriptDirectory.from_config(config).get_current_head()
    with translated_errors(database), database.connect() as connection:
        context = alembic.migration.MigrationContext.configure(connection, opts={"version_table": version_table})
        current = context.get_current_revision()
        connection.rollback()
        if current == newest:
            return
        if current is not None:
            path = Path(str(database.url.database))
            copy_database(path, path.with_name(f"catalogue-before-{newest}.db"))
        config.attributes["connection"] = connection.execution_options(transaction_mode="IMMEDIATE")
        alembic.command.upgrade(config, "head")


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
