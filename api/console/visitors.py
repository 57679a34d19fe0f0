"""Who is here: sessions, and how often somebody may try to sign in.

Sessions lie in memory and end with the server. A session keeps no secret but its fingerprint, and holds only as long as
the key pair, or the operator's password, that opened it: each request looks again.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field

from api.accounts.operator import OperatorPassword
from api.accounts.store import Accounts, User, fingerprint
from api.errors import RateLimited, ServiceError, WrongCredentials
from engine.catalogue import Catalogue, Channel
from engine.catalogue.rules import CHANNEL_NAME
from engine.errors import ChannelNotFound

SESSION_SECONDS = 12 * 3600
MOST_SESSIONS = 1_000
ATTEMPTS, ATTEMPTS_SECONDS = 10, 600
"""Failed attempts to sign in of one network in ten minutes."""
_MOST_NETWORKS = 10_000


class SignedOut(ServiceError):
    """No session, or one that has ended."""


class NotAllowed(ServiceError):
    """A read-only key pair may not change anything, a user may not do what is the operator's."""


@dataclass(eq=False, kw_only=True)
class Session:
    """One browser that signed in."""

    username: str
    """The key of the pair; empty: the operator."""
    mark: str = field(repr=False)
    """Fingerprint of the secret, or the mark of the password."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """Stands in every form of its pages: another site cannot know it."""
    ends_at: float = field(default_factory=lambda: time.monotonic() + SESSION_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who asks for a page, as the accounts are at this moment."""

    user: User | None
    """None: the operator."""
    readonly: bool
    session: Session

    @property
    def is_operator(self) -> bool:
        return self.user is None

    @property
    def user_id(self) -> int | None:
        """Whose counts are shown; None: everybody's."""
        return None if self.user is None else self.user.id

    @property
    def name(self) -> str:
        return "" if self.user is None else self.user.name

    def check_may_change(self) -> None:
        """Raises NotAllowed."""
        if self.readonly:
            raise NotAllowed("readonly")

    def check_operator(self) -> None:
        """Raises NotAllowed."""
        if not self.is_operator:
            raise NotAllowed("operator")

    def channels(self, catalogue: Catalogue) -> list[Channel]:
        return catalogue.channels(owner=self.user_id)

    def channel(self, catalogue: Catalogue, name: str) -> Channel:
        """Raises ChannelNotFound, also for another user's: that it exists is not told."""
        if not CHANNEL_NAME.fullmatch(name):
            raise ChannelNotFound(name[:64])
        found = catalogue.channel(name)
        if self.user is not None and found.owner != self.user.id:
            raise ChannelNotFound(name)
        return found


class Sessions:
    """Safe for use by many threads."""

    def __init__(self, accounts: Accounts, operator: OperatorPassword) -> None:
        self._accounts, self._operator = accounts, operator
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open_for_user(self, username: str, secret: str) -> str:
        """The cookie of a new session. Raises WrongCredentials."""
        self._accounts.verify(username, secret)
        return self._open(Session(username=username, mark=fingerprint(secret)))

    def open_for_operator(self, password: str) -> str:
        """The same. Raises WrongCredentials. It takes a tenth of a second and 32 MB."""
        mark = self._operator.verify(password)
        if mark is None:
            raise WrongCredentials("this is not the operator's password")
        return self._open(Session(username="", mark=mark))

    def _open(self, session: Session) -> str:
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            self._forget_ended()
            while len(self._sessions) >= MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]  # the oldest
            self._sessions[_name(cookie)] = session
        return cookie

    def session(self, cookie: str | None) -> Session:
        """Raises SignedOut."""
        found = self._sessions.get(_name(cookie or ""))
        if found is None or found.ends_at < time.monotonic():
            raise SignedOut
        return found

    def visitor(self, cookie: str | None) -> Visitor:
        """Raises SignedOut, also where the secret or the password was changed, or the user was disabled, since."""
        session = self.session(cookie)
        if not session.username:
            if session.mark != self._operator.mark():
                raise SignedOut
            return Visitor(user=None, readonly=False, session=session)
        try:
            user, readonly = self._accounts.verify_fingerprint(session.username, session.mark)
        except WrongCredentials:
            raise SignedOut from None
        return Visitor(user=user, readonly=readonly, session=session)

    def close(self, cookie: str | None) -> None:
        with self._lock:
            self._sessions.pop(_name(cookie or ""), None)

    def _forget_ended(self) -> None:
        now = time.monotonic()
        for name in [name for name, session in self._sessions.items() if session.ends_at < now]:
            del self._sessions[name]


def _name(cookie: str) -> str:
    """The cookie itself is nowhere in memory."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()


class Attempts:
    """Failed attempts by network (`limits.client_network`). For the event loop alone."""

    def __init__(self) -> None:
        self._failed: dict[str, list[float]] = {}

    def check(self, network: str) -> None:
        """Raises RateLimited."""
        times = self._recent(network)
        if len(times) >= ATTEMPTS:
            wait = max(1, round(times[0] + ATTEMPTS_SECONDS - time.monotonic()))
            raise RateLimited("too many attempts to sign in failed", retry_after_seconds=wait)

    def failed(self, network: str) -> None:
        times = [*self._recent(network), time.monotonic()]
        self._failed.pop(network, None)
        self._failed[network] = times
        while len(self._failed) > _MOST_NETWORKS:
            del self._failed[next(iter(self._failed))]

    def _recent(self, network: str) -> list[float]:
        since = time.monotonic() - ATTEMPTS_SECONDS
        return [at for at in self._failed.get(network, ()) if at > since]
