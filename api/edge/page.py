"""Pages for people: what runs here, and the OpenAPI document as forms to fill in. They load nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_PAGE = Path(__file__).with_name("page.html")
_WELCOME = Path(__file__).with_name("welcome.html")


def welcome_page(prefix: str, *, console: bool) -> bytes:
    """prefix: of the links; empty: they are relative to the page, which then must be asked for with a slash at its
    end, as it is at the root. console: with the way to it, which is a line of its own."""
    lines = _WELCOME.read_bytes().splitlines(keepends=True)
    text = b"".join(line for line in lines if console or b"PREFIX/console" not in line)
    return text.replace(b"PREFIX/", f"{prefix}/".encode() if prefix else b"")


class InteractivePage(OpenAPIRenderPlugin):
    """Served beside the document that it reads."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return _PAGE.read_bytes()
