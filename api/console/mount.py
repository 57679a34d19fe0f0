"""Where the console hangs in the server: /console and /try. It is imported and put together when one of them is first
asked for, so that a server whose console nobody opens pays nothing for it."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Callable
from typing import Any

from litestar import Response, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from api.edge import refusals
from api.service import Service

_LITESTARS_OWN = "_ls_connection_state"
"""What the outer application has read of the request, its path among it, lies under this key of the state."""

_OF_ASGI = (
    "type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "headers",
    "client", "server", "extensions",
)  # fmt: skip


class LazyConsole:
    """An ASGI application that becomes the console with its first request."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._site: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        # The router has cut what it mounts off the path.
        scope["path"] = urllib.parse.unquote(scope["raw_path"].decode("latin-1"))
        state = {key: value for key, value in scope["state"].items() if key != _LITESTARS_OWN}
        inner = {key: scope[key] for key in _OF_ASGI if key in scope}
        site = await self._made()
        whole: Any = {**inner, "state": state}
        await site(whole, receive, send)

    async def _made(self) -> ASGIApp:
        async with self._making:
            if self._site is None:
                self._site = await asyncio.to_thread(_put_together(self._service))
            return self._site


def _put_together(service: Service) -> Callable[[], ASGIApp]:
    def work() -> ASGIApp:
        from api.console.site import create_site

        return create_site(service)

    return work


def _failed(request: refusals.AnyRequest) -> Response[Any]:
    """Where the console itself cannot be put together: its own pages tell all else."""
    return Response({"message": refusals.with_id("the console cannot start", request)}, status_code=500)


def handlers(service: Service) -> list[ASGIRouteHandler]:
    """For the server's list of routes."""
    console = LazyConsole(service)

    def mounted(path: str) -> ASGIRouteHandler:
        @asgi(path, is_mount=True, copy_scope=False, exception_handlers={Exception: refusals.unexpected(_failed)})
        async def pages(scope: Scope, receive: Receive, send: Send) -> None:
            await console(scope, receive, send)

        return pages

    return [mounted("/console"), mounted("/try")]
