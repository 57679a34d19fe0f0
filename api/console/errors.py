"""What a page says when something is refused: one table from errors to HTTP statuses, looked up by ancestry."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response import Template

from api.console.console import Console
from api.console.texts import Words, catalogue
from api.console.visitors import NotAllowed, SignedOut
from api.edge import refusals
from api.edge.refusals import AnyRequest
from api.errors import BodyTooLarge, Busy, ForeignChannel, RateLimited, ServiceError, WrongCredentials
from engine.errors import (
    ChannelNotFound,
    GalleryError,
    ImageError,
    ObverseError,
    PictureNotFound,
    ReadOnlyData,
    StorageError,
)

STATUSES: dict[type[ObverseError], int] = {
    ObverseError: 500,
    ImageError: 422,
    GalleryError: 400,
    ChannelNotFound: 404,
    PictureNotFound: 404,
    StorageError: 500,
    ReadOnlyData: 403,
    ServiceError: 400,
    SignedOut: 401,
    NotAllowed: 403,
    WrongCredentials: 403,
    ForeignChannel: 404,
    BodyTooLarge: 413,
    Busy: 503,
    RateLimited: 429,
}


def reason(words: Words, error: ObverseError) -> str:
    """Why, for people, in their language where its catalogue knows the error; else in its own words."""
    kind = type(error).__name__
    key = f"reason.{kind}.{error}" if isinstance(error, NotAllowed) else f"reason.{kind}"
    key = key.replace("NotAllowed.", "NotAllowed_")
    if key in catalogue(words.language):
        return words(key)
    if refusals.nearest_row(STATUSES, error) == 500:
        return words("error.failed")
    return refusals.text_of(error)


def refused(request: AnyRequest, error: ObverseError) -> Response[Any] | Template:
    """A page, or JSON for a script that asks for it."""
    console: Console = request.app.state.console
    status = refusals.nearest_row(STATUSES, error)
    if status == 500:
        refusals.log_failure("a page of the console", error)
    if isinstance(error, SignedOut) and not _wants_json(request):
        return _to_sign_in(request, console)
    words = console.words(request)
    text = reason(words, error)
    headers = refusals.headers_of(error)
    if status == 500:
        text = refusals.with_id(text, request)
    return _told(request, console, status, text, headers)


def http_error(request: AnyRequest, error: HTTPException) -> Response[Any] | Template:
    """The framework's own: an unknown path, another verb, a parameter that is none."""
    console: Console = request.app.state.console
    words = console.words(request)
    status = error.status_code
    text = words("error.no_page") if status in (404, 405) else words("error.malformed")
    return _told(request, console, status, text, dict(error.headers or {}))


def unexpected(request: AnyRequest) -> Response[Any] | Template:
    console: Console = request.app.state.console
    text = refusals.with_id(console.words(request)("error.failed"), request)
    return _told(request, console, 500, text, {})


def _told(
    request: AnyRequest, console: Console, status: int, text: str, headers: dict[str, str]
) -> Response[Any] | Template:
    if _wants_json(request):
        content = msgspec.json.encode({"error": text})
        return Response(content, status_code=status, media_type="application/json", headers=headers)
    page = console.rendered(request, "error.html", {"status": status, "text": text}, status=status)
    page.headers.update(headers)
    return page


def _to_sign_in(request: AnyRequest, console: Console) -> Response[Any]:
    """A body that was sent without a session is not read: the connection ends with the answer."""
    path = request.scope["path"]
    wanted = path if request.method == "GET" else "/console"
    answer = console.to(f"/console/sign-in?next={wanted}")
    if request.method != "GET":
        answer.headers["Connection"] = "close"
    if request.headers.get("hx-request") == "true":  # else the form would be put into the page
        answer = Response(b"", status_code=200, headers={"HX-Redirect": f"{console.base}/console/sign-in"})
    return answer


def _wants_json(request: AnyRequest) -> bool:
    return request.headers.get("accept", "").startswith("application/json")
