"""Pages of a channel's list, bounded by what they hold: texts of a hundred pictures may be two hundred megabytes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from engine.catalogue import Catalogue, Channel, Picture
from engine.catalogue.entries import as_picture
from engine.catalogue.tables import picture_table
from engine.catalogue.transactions import reading


@dataclass(frozen=True, kw_only=True)
class Page:
    """Pictures in the order of the list."""

    pictures: list[Picture]
    cut: bool
    """More of them were asked for than fit; one always does."""


class PageRules:
    """Reads row by row and stops where the page is full, in one transaction. Safe for use by many threads."""

    def __init__(self, catalogue: Catalogue, *, most_bytes: int) -> None:
        self._catalogue, self.most_bytes = catalogue, most_bytes

    def by_identifier(self, channel: Channel, *, offset: int, limit: int) -> Page:
        """In the order of code points."""
        return self._page(channel, [picture_table.c.identifier], offset=offset, limit=limit)

    def newest(self, channel: Channel, *, offset: int = 0, limit: int, after: Picture | None = None) -> Page:
        """Latest change first; after: only those that follow this picture."""
        columns = picture_table.c
        following: sa.ColumnElement[bool] | None = None
        if after is not None:
            earlier = (columns.updated_at == after.updated_at) & (columns.id < after.id)
            following = (columns.updated_at < after.updated_at) | earlier
        order = [columns.updated_at.desc(), columns.id.desc()]
        return self._page(channel, order, following, offset=offset, limit=limit)

    def _page(
        self,
        channel: Channel,
        order: Sequence[sa.ColumnElement[Any]],
        chosen: sa.ColumnElement[bool] | None = None,
        *,
        offset: int,
        limit: int,
    ) -> Page:
        query = sa.select(picture_table).where(picture_table.c.channel_id == channel.id)
        if chosen is not None:
            query = query.where(chosen)
        pictures: list[Picture] = []
        held = 0
        with (
            reading(self._catalogue.database) as connection,
            contextlib.closing(connection.execute(query.order_by(*order).offset(offset).limit(limit))) as rows,
        ):
            for row in rows:
                held += len(row.metadata.encode()) + len(row.facts)
                if pictures and held > self.most_bytes:
                    return Page(pictures=pictures, cut=True)
                pictures.append(as_picture(row, channel.name))
        return Page(pictures=pictures, cut=False)
