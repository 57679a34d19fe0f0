"""An index for lists by latest change."""

from alembic import op

revision = "engine0002"
down_revision = "engine0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("picture_by_change", "picture", ["channel_id", "updated_at", "id"])


def downgrade() -> None:
    raise RuntimeError("schemas only move forward; restore the copy made before the upgrade instead")
