"""Apps: the keys with which EasyAR clients reach one channel."""

import sqlalchemy as sa
from alembic import op

revision = "accounts0002"
down_revision = "accounts0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "app",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("app_id", sa.Text, nullable=False, unique=True),
        sa.Column("api_key", sa.Text, nullable=False, unique=True),
        sa.Column("sealed_secret", sa.Text, nullable=False),
        # No foreign key: the table of channels belongs to the engine. A channel's number is never used again.
        sa.Column("channel_id", sa.Integer, nullable=False, unique=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    raise RuntimeError("schemas only move forward; restore the copy made before the upgrade instead")
