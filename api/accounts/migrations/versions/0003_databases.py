"""Databases: the keys with which Vuforia's clients reach one channel, and the targets that became no pictures."""

import sqlalchemy as sa
from alembic import op

revision = "accounts0003"
down_revision = "accounts0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "target_database",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("server_access_key", sa.Text, nullable=False, unique=True),
        sa.Column("sealed_server_secret", sa.Text, nullable=False),
        sa.Column("client_access_key", sa.Text, nullable=False, unique=True),
        sa.Column("sealed_client_secret", sa.Text, nullable=False),
        # No foreign key: the table of channels belongs to the engine. A channel's number is never used again.
        sa.Column("channel_id", sa.Integer, nullable=False, unique=True),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("created_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "poor_target",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.Text, nullable=False, unique=True),
        sa.Column("channel_id", sa.Integer, nullable=False),
        sa.Column("identifier", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("width", sa.Float, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("added_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.UniqueConstraint("channel_id", "identifier"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    raise RuntimeError("schemas only move forward; restore the copy made before the upgrade instead")
