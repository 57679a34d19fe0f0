"""Paths that are served elsewhere than they are asked for: under a proxy's prefix, or at the root of a port."""

from __future__ import annotations

from typing import Any

from litestar.types import ASGIApp, Receive, Send


class UnderPrefix:
    """Serves `/prefix/path` as `/path`, and `/path` as it is."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """prefix: begins with a slash and ends without one."""
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            path: str = scope["path"]
            if path == self._prefix or path.startswith(f"{self._prefix}/"):
                raw = scope["raw_path"].removeprefix(self._prefix.encode()) or b"/"
                scope = {**scope, "path": path.removeprefix(self._prefix) or "/", "raw_path": raw}
        await self._app(scope, receive, send)


class AtRootOf:
    """Serves `/path` as `/prefix/path` to who came by one port, and nothing else there."""

    def __init__(self, app: ASGIApp, *, port: int, prefix: str) -> None:
        """prefix: begins with a slash and ends without one."""
        self._app, self._port, self._prefix = app, port, prefix

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and (scope.get("server") or (None, None))[1] == self._port:
            path: str = scope["path"]
            scope = {**scope, "path": self._prefix + path, "raw_path": self._prefix.encode() + scope["raw_path"]}
        await self._app(scope, receive, send)
