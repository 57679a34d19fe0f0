"""What a browser sends: forms with the session's token, which proves that they were one of our pages'."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import AsyncIterator, Mapping

from api.console.console import SESSION_COOKIE, Console
from api.console.visitors import NotAllowed
from api.edge.body import BodyReader, Form, FormRules
from api.edge.refusals import AnyRequest
from api.edge.requests import body_length, client_of
from api.errors import BodyTooLarge
from engine.errors import InvalidValue

TOKEN = "csrf"
TOKEN_HEADER = "x-csrf-token"
SHORT = 200
"""Bytes of a name, a number, a switch."""


@contextlib.asynccontextmanager
async def read_form(
    request: AnyRequest, console: Console, *, fields: Mapping[str, int], others: int = -1, files: tuple[str, ...] = ()
) -> AsyncIterator[Form]:
    """The form of who has signed in, within the limits of `api.edge.body`; its memory is held until the block ends.
    fields: byte limits by name; others: limit of fields that are not named, below zero: they are not kept.

    Raises SignedOut, NotAllowed where the token is not the session's, InvalidValue for a field that is too long or no
    text, MalformedBody, BodyTooLarge, Busy.
    """
    session = console.sessions.session(request.cookies.get(SESSION_COOKIE))
    async with read_open_form(request, console, fields={**fields, TOKEN: SHORT}, others=others, files=files) as form:
        check_token(session.token, form.values.get(TOKEN, ""))
        yield form


@contextlib.asynccontextmanager
async def read_open_form(
    request: AnyRequest, console: Console, *, fields: Mapping[str, int], others: int = -1, files: tuple[str, ...] = ()
) -> AsyncIterator[Form]:
    """The same without a session: for who signs in, or tries an open channel."""
    check_origin(request)
    settings = console.service.settings
    rules = FormRules(
        fields=fields,
        other_fields=others,
        files=files,
        max_file_bytes=settings.max_image_bytes,
        max_drain_bytes=settings.max_drain_bytes,
        timeout_seconds=settings.body_timeout_seconds,
        stall_seconds=settings.body_stall_seconds,
        retry_after_seconds=settings.retry_after_seconds,
    )
    reader = BodyReader(rules, console.service.memory, lane=console.service.door.short, client=client_of(request))
    try:
        content_type = request.headers.get("content-type", "")
        form = await reader.read(request.receive, content_type, length=body_length(request))
        for name in sorted(form.unreadable):
            raise InvalidValue(name[:40], "one text of legal length, in UTF-8")
        if form.files_too_large:
            raise BodyTooLarge("image", settings.max_image_bytes)
        yield form
    finally:
        reader.close()


def check_token(expected: str, given: str) -> None:
    """Raises NotAllowed."""
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass")):
        raise NotAllowed("csrf")


def check_origin(request: AnyRequest) -> None:
    """Browsers tell where a form comes from. Raises NotAllowed where that is another site."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise NotAllowed("csrf")
