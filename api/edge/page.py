"""Pages for people: what runs here, and the OpenAPI document as forms to fill in. They load nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_PAGE = Path(__file__).with_name("page.html")
_WELCOME = Path(__file__).with_name("welcome.html")


def welcome_page(prefix: str) -> bytes:
    """prefix: of the links; empty: they are relative to the page, which then must be asked for with a slash at its
    end, as it is at the root."""
    return _WELCOME.read_bytes().replace(b"PREFIX/", f"{prefix}/".encode() if prefix else b"")


class InteractivePage(OpenAPIRenderPlugin):
    """Served beside the document that it reads."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return _PAGE.read_bytes()
