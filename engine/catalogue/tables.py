"""The catalogue's tables; `engine.catalogue.entries` has the values that their rows become."""

from __future__ import annotations

import sqlalchemy as sa

_tables = sa.MetaData()
meta_table = sa.Table("meta", _tables, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text))
channel_table = sa.Table(
    "channel",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("owner", sa.Integer),
    sa.Column("quota", sa.Integer),
    sa.Column("created_at", sa.Float),
)
picture_table = sa.Table(
    "picture",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("channel_id", sa.Integer),
    sa.Column("identifier", sa.Text),
    sa.Column("uuid", sa.Text),
    sa.Column("metadata", sa.Text),
    sa.Column("threshold", sa.Float),
    sa.Column("active", sa.Boolean),
    sa.Column("facts", sa.Text),
    sa.Column("level", sa.Integer),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("keypoints", sa.Integer),
    sa.Column("added_at", sa.Float),
    sa.Column("updated_at", sa.Float),
)
feature_table = sa.Table(
    "feature",
    _tables,
    sa.Column("picture_id", sa.Integer, primary_key=True),
    sa.Column("keypoints", sa.LargeBinary),
    sa.Column("vector", sa.LargeBinary),
    sa.Column("orb", sa.LargeBinary),
)
rendition_table = sa.Table(
    "rendition",
    _tables,
    sa.Column("picture_id", sa.Integer, primary_key=True),
    sa.Column("jpeg", sa.LargeBinary),
)
change_table = sa.Table(
    "change",
    _tables,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("picture_id", sa.Integer),
    sa.Column("channel_id", sa.Integer),
    sa.Column("kind", sa.Text),
)
