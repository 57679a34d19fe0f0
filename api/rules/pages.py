"""Pages of a channel's list, bounded by what they hold: texts of a hundred pictures may be two hundred megabytes."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalogue import Catalogue, Channel, Picture

AT_ONCE = 16
"""Pictures read in one query: with 2 MB of metadata and as much of facts each, 64 MB."""
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Page:
    """Pictures in the order of the list."""

    pictures: list[Picture]
    cut: bool
    """More of them were asked for than fit; one always does."""


class PageRules:
    """Reads piece by piece and stops where the page is full. Safe for use by many threads."""

    def __init__(self, catalogue: Catalogue, *, most_bytes: int) -> None:
        self._catalogue, self.most_bytes = catalogue, most_bytes

    def by_identifier(self, channel: Channel, *, offset: int, limit: int) -> Page:
        """In the order of code points. Raises ChannelNotFound."""
        for _ in range(TRIES):
            page = self._by_identifier(channel, offset=offset, limit=limit)
            if page is not None:
                return page
        # Pictures before this page go and come all the time: of such a list no page is ever the true one.
        return self._cut(self._catalogue.pictures(channel.name, offset=offset, limit=min(limit, AT_ONCE)), more=True)

    def _by_identifier(self, channel: Channel, *, offset: int, limit: int) -> Page | None:
        """None where pictures were added or removed between two pieces, so that they do not fit together."""
        pictures: list[Picture] = []
        while True:
            overlap = min(1, len(pictures))  # the last one once more: its place tells whether anything has moved
            start, count = offset + len(pictures) - overlap, min(AT_ONCE, limit - len(pictures)) + overlap
            found = self._catalogue.pictures(channel.name, offset=start, limit=count)
            if overlap and (not found or found[0].identifier != pictures[-1].identifier):
                return None
            pictures += found[overlap:]
            page = self._cut(pictures, more=False)
            if page.cut or len(found) < count or len(pictures) >= limit:
                return page

    def newest(self, channel: Channel, *, offset: int = 0, limit: int, after: Picture | None = None) -> Page:
        """Latest change first; after: only those that follow this picture. Raises ChannelNotFound."""
        pictures: list[Picture] = []
        while True:
            count = min(AT_ONCE, limit - len(pictures))
            found = self._catalogue.newest_pictures(channel.name, offset=offset, limit=count, after=after)
            pictures += found
            page = self._cut(pictures, more=False)
            if page.cut or len(found) < count or len(pictures) >= limit:
                return page
            offset, after = 0, pictures[-1]

    def _cut(self, pictures: list[Picture], *, more: bool) -> Page:
        """As many as fit. more: whether others follow them in any case."""
        held = 0
        for number, picture in enumerate(pictures):
            held += size_of(picture)
            if number and held > self.most_bytes:
                return Page(pictures=pictures[:number], cut=True)
        return Page(pictures=pictures, cut=more)


def size_of(picture: Picture) -> int:
    """Bytes of the texts that a list shows of it, nearly."""
    return len(picture.metadata.encode()) + sum(_size_of(value) for value in picture.facts.values())


def _size_of(value: object) -> int:
    """Of a string, or of the strings in a dict."""
    if isinstance(value, dict):
        return sum(len(name) + _size_of(inner) for name, inner in value.items())
    return len(value.encode()) if isinstance(value, str) else 0
