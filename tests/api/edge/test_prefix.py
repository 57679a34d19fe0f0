"""Paths that are served elsewhere than they are asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.edge.prefix import AtRootOf, UnderPrefix


def served(wrap: Any, scope: dict[str, Any]) -> Any:
    """The path that the application sees, as text and as bytes."""
    seen: list[Any] = []

    async def app(scope: Any, _: Any, __: Any) -> None:
        seen.append((scope.get("path"), scope.get("raw_path")))

    asyncio.run(wrap(app)(scope, None, None))
    return seen[0]


def request(path: str, *, port: int | None = 80, kind: str = "http") -> dict[str, Any]:
    return {"type": kind, "path": path, "raw_path": path.encode(), "server": None if port is None else ("x", port)}


class TestAtRootOf:
    @pytest.mark.parametrize("kind", ["http", "websocket"])
    @pytest.mark.parametrize("path", ["/", "/targets", "/there/targets"])
    def test_its_port(self, path: str, kind: str) -> None:
        """Everything is below the prefix, so that nothing else answers."""
        shown = served(lambda app: AtRootOf(app, port=81, prefix="/there"), request(path, port=81, kind=kind))
        assert shown == (f"/there{path}", f"/there{path}".encode())

    @pytest.mark.parametrize("port", [80, None])
    def test_other_ports(self, port: int | None) -> None:
        shown = served(lambda app: AtRootOf(app, port=81, prefix="/there"), request("/targets", port=port))
        assert shown == ("/targets", b"/targets")

    def test_beneath_a_proxys_prefix(self) -> None:
        def wrap(app: Any) -> Any:
            return UnderPrefix(AtRootOf(app, port=81, prefix="/there"), "/proxy")

        assert served(wrap, request("/proxy/targets", port=81)) == ("/there/targets", b"/there/targets")

    def test_lifespan(self) -> None:
        assert served(lambda app: AtRootOf(app, port=81, prefix="/there"), {"type": "lifespan"}) == (None, None)
