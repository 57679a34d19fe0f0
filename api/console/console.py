"""What the pages share: the service behind them, who asks, and how a page is made of what it shows."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import structlog
from litestar import MediaType, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Redirect, Template

from api.accounts.operator import OperatorPassword
from api.console import texts
from api.console.forecast import forecast_of
from api.console.visitors import Attempts, Sessions, Visitor
from api.edge.door import Lane, asks
from api.edge.refusals import AnyRequest
from api.service import Service

T = TypeVar("T")
SESSION_COOKIE, LANGUAGE_COOKIE = "obverse_session", "obverse_language"
_MOST_REMEMBERED = 200
logger = structlog.stdlib.get_logger("api.console")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Done:
    """A change that was made through the console."""

    at: float
    """Seconds since 1970."""
    who: str
    """A user's name; empty: the operator."""
    what: str
    """The key of a text."""
    channel: str
    about: str
    """An identifier, a number: what the change was of."""


class Console:
    """One server's console. Coroutines belong to the event loop, `done` and `base` may be used by all threads."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.operator = OperatorPassword(service.catalogue)
        self.sessions = Sessions(service.accounts, self.operator)
        self.attempts = Attempts()
        self.changes: collections.deque[Done] = collections.deque(maxlen=_MOST_REMEMBERED)
        self.forecast = forecast_of(service.settings.calibration)
        self._accepted = ",".join(f"image/{name.lower()}" for name in service.settings.formats)
        """Content types of the images that may be chosen."""
        self.streams = 0
        """Pages that are updated live now."""
        self.base = service.settings.path_prefix
        self.passwords = Lane(
            "passwords",
            workers=1,
            queue=10,
            deadline_seconds=service.settings.deadline_seconds,
            retry_after_seconds=service.settings.retry_after_seconds,
        )
        """One at a time: each takes 32 MB."""

    # Who asks

    def visitor(self, request: AnyRequest) -> Visitor:
        """For threads: it reads the accounts. Raises SignedOut."""
        return self.sessions.visitor(request.cookies.get(SESSION_COOKIE))

    async def run(self, request: AnyRequest, work: Callable[[Visitor], T], *, changes: bool = False) -> T:
        """What `work` gives, in a thread of the short lane. changes: a read-only pair is refused. Raises SignedOut,
        NotAllowed, Busy, and what `work` does."""

        def call() -> T:
            visitor = self.visitor(request)
            if changes:
                visitor.check_may_change()
            return work(visitor)

        return await self.service.door.short.run(call)

    def admit(self, visitor: Visitor) -> None:
        """Before the engine works for somebody: a user's requests are counted, and told to the lanes. Raises
        RateLimited."""
        if visitor.user is not None:
            self.service.access.admit_user(visitor.user)
            asks(visitor.user.id)

    def done(self, visitor: Visitor, what: str, *, channel: str = "", about: str = "") -> None:
        """Writes a change down, in the log and for the page of the server's health."""
        entry = Done(at=time.time(), who=visitor.name, what=what, channel=channel, about=about)
        self.changes.appendleft(entry)
        logger.info("console", who=visitor.name or "(operator)", what=what, channel=channel, about=about)

    # What is answered

    async def page(
        self, request: AnyRequest, template: str, show: Callable[[Visitor], Mapping[str, Any]], *, status: int = 200
    ) -> Template:
        """A page for who has signed in; show: gives what it shows, in a thread. Raises as `run` does."""

        def work(visitor: Visitor) -> dict[str, Any]:
            return {"visitor": visitor, "csrf": visitor.session.token, **show(visitor)}

        return self.rendered(request, template, await self.run(request, work), status=status)

    def rendered(self, request: AnyRequest, template: str, shown: Mapping[str, Any], *, status: int = 200) -> Template:
        words = self.words(request)
        common = {
            "t": words,
            "language": words.language,
            "languages": texts.LANGUAGES,
            "base": self.base,
            "path": request.scope["path"],
            "visitor": None,
            "keeps_misses": self.service.misses.on,
            "accepted": self._accepted,
            "csrf": "",
            "fragment": request.headers.get("hx-request") == "true",
        }
        return Template(template, context={**common, **shown}, status_code=status, media_type=MediaType.HTML)

    def words(self, request: AnyRequest) -> texts.Words:
        cookie = request.cookies.get(LANGUAGE_COOKIE)
        return texts.Words(texts.chosen(cookie, request.headers.get("accept-language", "")))

    def to(self, path: str, *, cookies: list[Cookie] | None = None) -> Response[Any]:
        """Sends the browser to a page of ours with GET."""
        return Redirect(f"{self.base}{path}", status_code=303, cookies=cookies or [])

    def session_cookie(self, request: AnyRequest, value: str) -> Cookie:
        """An empty value ends it."""
        return Cookie(
            key=SESSION_COOKIE,
            value=value,
            path=f"{self.base}/console",
            httponly=True,
            samesite="strict",
            secure=request.scope["scheme"] == "https",
            max_age=None if value else 0,
        )


ConsoleHere = NamedDependency[SkipValidation[Console]]
