"""What has changed in a user's channels, by the log's own numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from api.accounts.store import User
from api.rules.access import AccessRules
from engine.catalogue import Catalogue, Followed

Kind = Literal["added", "changed", "removed"]
KINDS: dict[str, Kind] = {"add": "added", "update": "changed", "remove": "removed"}
"""By the log's words."""


@dataclass(frozen=True, kw_only=True)
class ChangePage:
    """Entries of the log, oldest first."""

    entries: list[Followed]
    next: int
    """The number with which to go on."""
    more: bool
    """Whether there is something to go on with."""


class ChangeRules:
    """Safe for use by many threads."""

    def __init__(self, catalogue: Catalogue, access: AccessRules) -> None:
        self._catalogue, self._access = catalogue, access

    def page(self, user: User, channel: str | None, *, after: int, limit: int) -> ChangePage:
        """Of one channel or of all that the user has now. Raises ChannelNotFound, ForeignChannel."""
        channels = self._access.searched_channels(user, channel)
        entries, last = self._catalogue.follow(channels, after=after, limit=limit)
        return ChangePage(entries=entries, next=last, more=last < self._catalogue.last_seq())
