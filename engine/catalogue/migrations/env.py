"""Alembic's entry for the engine's tables; `engine.catalogue.upgrade.upgrade_schema` calls it."""

from alembic import context

from engine.catalogue.upgrade import run_migrations

run_migrations(context.config)
