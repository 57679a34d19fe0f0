"""Who may do what: key pairs, apps, and the channels that belong to a user."""

from __future__ import annotations

from api.accounts.store import Accounts, User
from api.edge.limits import RateLimiter
from api.errors import ForeignChannel, WrongCredentials
from api.settings import Settings
from engine.catalogue import Catalogue, Channel
from engine.catalogue.rules import CHANNEL_NAME
from engine.errors import ChannelExists, ChannelNotFound


class AccessRules:
    """Safe for use by many threads."""

    def __init__(self, settings: Settings, catalogue: Catalogue, accounts: Accounts, rates: RateLimiter) -> None:
        self._settings, self._catalogue = settings, catalogue
        self._accounts, self._rates = accounts, rates

    def authenticate(self, username: str | None, secret: str | None, *, reads_only: bool) -> User:
        """The user of a key pair. reads_only: the method changes nothing, so that a read-only pair will do.

        Raises WrongCredentials, RateLimited.
        """
        if not username or not secret:
            raise WrongCredentials("username and secretkey are needed")
        user, readonly_pair = self._accounts.verify(username, secret)
        if readonly_pair and not reads_only:
            raise WrongCredentials("this key pair is read-only")
        self._rates.take(user.id)
        return user

    def admit(self, user: User) -> None:
        """Counts a request of a user's app or database that has shown who it is. Raises RateLimited."""
        self._rates.take(user.id)

    def admit_user(self, user: User) -> None:
        """Counts a request of who has signed in, or of whose channel is tried. Raises RateLimited."""
        self._rates.take(user.id)

    def own_channel(self, user: User, name: str | None) -> Channel:
        """Raises ChannelNotFound, ForeignChannel."""
        channel = self.any_channel(name)
        if channel.owner != user.id:
            raise ForeignChannel(channel.name)
        return channel

    def any_channel(self, name: str | None) -> Channel:
        """A channel whoever owns it. Raises ChannelNotFound."""
        if name is None or not CHANNEL_NAME.fullmatch(name):
            raise ChannelNotFound((name or "")[:64])
        return self._catalogue.channel(name)

    def searched_channels(self, user: User, name: str | None) -> list[Channel]:
        """The channel asked for, or all of the user's, in one query. Raises ChannelNotFound, ForeignChannel."""
        return self._catalogue.channels(owner=user.id) if name is None else [self.own_channel(user, name)]

    def channel_for_adding(self, user: User, name: str | None) -> str:
        """The name of the user's channel; one that does not exist yet is let through where settings say so.

        Raises ChannelNotFound, ForeignChannel.
        """
        try:
            return self.own_channel(user, name).name
        except ChannelNotFound:
            if not self._settings.auto_create_channel or name is None or not CHANNEL_NAME.fullmatch(name):
                raise
            return name

    def ensure_channel(self, user: User, name: str) -> Channel:
        """The user's channel, made now where it is missing and settings say so. For the moment of adding: it may have
        changed hands, or gone, while the request waited. Raises ChannelNotFound, ForeignChannel."""
        try:
            return self.own_channel(user, name)
        except ChannelNotFound:
            if not self._settings.auto_create_channel:
                raise
        try:
            return self._catalogue.add_channel(name, owner=user.id, quota=self._settings.default_quota)
        except ChannelExists:
            return self.own_channel(user, name)
