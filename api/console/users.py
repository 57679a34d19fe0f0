"""Users and their keys: the operator makes, rotates and switches them off; a user rotates its own."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from api.accounts.store import Keys, User, fingerprint
from api.console.console import SESSION_COOKIE, Console, ConsoleHere
from api.console.forms import SHORT, read_form
from api.console.visitors import NotAllowed, Visitor
from api.edge.refusals import AnyRequest


@get("/users")
async def users(request: AnyRequest, console: ConsoleHere) -> Template:
    return await console.page(request, "users.html", lambda visitor: _shown(console, visitor))


def _shown(console: Console, visitor: Visitor) -> dict[str, Any]:
    accounts = console.service.accounts
    shown = accounts.users() if visitor.user is None else [visitor.user]
    return {"rows": [_row(console, user) for user in shown]}


def _row(console: Console, user: User) -> dict[str, Any]:
    keys = console.service.accounts.usernames(user.id)
    return {
        "name": user.name,
        "disabled": user.disabled,
        "since": user.created_at,
        "channels": len(console.service.catalogue.channels(owner=user.id)),
        "full": keys.get("full", ""),
        "readonly": keys.get("readonly", ""),
    }


@post("/users", status_code=200)
async def add(request: AnyRequest, console: ConsoleHere) -> Template:
    """Answers with the new keys: the only sight of them, so that it is no redirection."""
    async with read_form(request, console, fields={"name": SHORT}) as form:

        def show(visitor: Visitor) -> dict[str, Any]:
            visitor.check_may_change()
            visitor.check_operator()
            name = form.values.get("name", "").strip()
            keys = console.service.accounts.add_user(name)
            console.done(visitor, "user_added", about=name)
            return {"name": name, "keys": keys}

        return await console.page(request, "keys.html", show)


@post("/users/rotate", status_code=200)
async def rotate(request: AnyRequest, console: ConsoleHere) -> Template:
    """New secrets under the same keys. Sessions of the old ones end; that of a user who rotates its own goes on."""
    async with read_form(request, console, fields={"name": SHORT}) as form:

        def show(visitor: Visitor) -> dict[str, Any]:
            visitor.check_may_change()
            name = form.values.get("name", "")
            if visitor.user is not None and name != visitor.user.name:
                raise NotAllowed("operator")
            keys = console.service.accounts.rotate_keys(name)
            if visitor.user is not None:
                _go_on(request, console, keys)
            console.done(visitor, "keys_rotated", about=name)
            return {"name": name, "keys": keys}

        return await console.page(request, "keys.html", show)


def _go_on(request: AnyRequest, console: Console, keys: Keys) -> None:
    session = console.sessions.session(request.cookies.get(SESSION_COOKIE))
    session.mark = fingerprint(keys.full.secretkey)


@post("/users/switch", status_code=303)
async def switch(request: AnyRequest, console: ConsoleHere) -> Response[Any]:
    """Refuses all of a user's keys, or allows them again; its channels stay."""
    async with read_form(request, console, fields={"name": SHORT, "disabled": SHORT}) as form:

        def work(visitor: Visitor) -> None:
            visitor.check_operator()
            name, disabled = form.values.get("name", ""), form.values.get("disabled") == "on"
            console.service.accounts.set_disabled(name, disabled=disabled)
            console.done(visitor, "user_disabled" if disabled else "user_enabled", about=name)

        await console.run(request, work, changes=True)
    return console.to("/console/users")


HANDLERS = [users, add, rotate, switch]
