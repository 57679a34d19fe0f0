"""A path prefix under which a proxy shows the server, whether the proxy takes it away or not."""

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
