"""The first catalogue: channels, pictures, features, renditions and the log of changes."""

import sqlalchemy as sa
from alembic import op

revision = "engine0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("owner", sa.Integer),
        sa.Column("quota", sa.Integer),
        sa.Column("created_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "picture",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("channel_id", sa.Integer, sa.ForeignKey("channel.id"), nullable=False),
        sa.Column("identifier", sa.Text, nullable=False),
        sa.Column("uuid", sa.Text, nullable=False, unique=True),
        sa.Column("metadata", sa.Text, nullable=False, server_default=""),
        sa.Column("threshold", sa.Float),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("facts", sa.Text, nullable=False, server_default="{}"),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("keypoints", sa.Integer, nullable=False),
        sa.Column("added_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.UniqueConstraint("channel_id", "identifier"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "feature",
        sa.Column("picture_id", sa.Integer, sa.ForeignKey("picture.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("keypoints", sa.LargeBinary, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("orb", sa.LargeBinary),
    )
    op.create_table(
        "rendition",
        sa.Column("picture_id", sa.Integer, sa.ForeignKey("picture.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("jpeg", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "change",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("picture_id", sa.Integer, nullable=False),
        sa.Column("channel_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    raise RuntimeError("schemas only move forward; restore the copy made before the upgrade instead")
