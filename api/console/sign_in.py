"""Signing in and out, and the choice of a language."""

from __future__ import annotations

import re
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Template

from api.console import texts
from api.console.console import LANGUAGE_COOKIE, SESSION_COOKIE, Console, ConsoleHere
from api.console.forms import SHORT, read_form, read_open_form
from api.edge.body import Form
from api.edge.refusals import AnyRequest
from api.edge.requests import client_of
from api.errors import RateLimited, WrongCredentials

_INSIDE = re.compile(r"/console(/[a-z0-9/_-]*)?|/try(/[A-Za-z0-9@_.-]{1,64})?")
"""Where a sign-in may lead: never to another site."""


@get("/sign-in")
async def form(request: AnyRequest, console: ConsoleHere) -> Template:
    return await _form(request, console, wanted=request.query_params.get("next", ""))


async def _form(
    request: AnyRequest, console: Console, *, wanted: str, error: str = "", status: int = 200, kind: str = "user"
) -> Template:
    has_operator = await console.service.door.short.run(lambda: bool(console.operator.mark()))
    shown = {"wanted": _inside(wanted), "error": error, "has_operator": has_operator, "kind": kind}
    return console.rendered(request, "sign-in.html", shown, status=status)


@post("/sign-in", status_code=303)
async def sign_in(request: AnyRequest, console: ConsoleHere) -> Response[Any] | Template:
    """A user's pair (username, secretkey), or the operator's password."""
    network = client_of(request)
    fields = {"username": SHORT, "secretkey": SHORT, "password": 4 * SHORT, "next": SHORT}
    async with read_open_form(request, console, fields=fields) as given:
        wanted, kind = given.values.get("next", ""), "operator" if "password" in given.values else "user"
        try:
            console.attempts.check(network)
            cookie = await _opened(console, given)
        except RateLimited as error:
            words = console.words(request)("sign_in.too_many", minutes=-(-error.retry_after_seconds // 60))
            page = await _form(request, console, wanted=wanted, error=words, status=429, kind=kind)
            page.headers["Retry-After"] = str(error.retry_after_seconds)
            return page
        except WrongCredentials:
            console.attempts.failed(network)
            words = console.words(request)(f"sign_in.wrong_{kind}")
            return await _form(request, console, wanted=wanted, error=words, status=403, kind=kind)
    return console.to(_inside(wanted), cookies=[console.session_cookie(request, cookie)])


async def _opened(console: Console, form: Form) -> str:
    password = form.values.get("password")
    if password is not None:
        return await console.passwords.run(lambda: console.sessions.open_for_operator(password))
    username, secret = form.values.get("username", "").strip(), form.values.get("secretkey", "").strip()
    return await console.service.door.short.run(lambda: console.sessions.open_for_user(username, secret))


@post("/sign-out", status_code=303)
async def sign_out(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    async with read_form(request, console, fields={}):
        console.sessions.close(request.cookies.get(SESSION_COOKIE))
    return console.to("/console/sign-in", cookies=[console.session_cookie(request, "")])


@post("/language", status_code=303)
async def language(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """For everybody: it changes nothing but how pages read."""
    async with read_open_form(request, console, fields={"language": SHORT, "next": SHORT}) as given:
        chosen, wanted = given.values.get("language", ""), given.values.get("next", "")
    cookies = []
    if chosen in texts.LANGUAGES:
        path = f"{console.base}/"
        cookies = [Cookie(key=LANGUAGE_COOKIE, value=chosen, path=path, samesite="lax", max_age=365 * 86400)]
    return console.to(_inside(wanted), cookies=cookies)


def _inside(path: str) -> str:
    return path if _INSIDE.fullmatch(path) else "/console"


HANDLERS = [form, sign_in, sign_out, language]
