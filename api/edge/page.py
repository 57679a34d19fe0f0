"""The interactive page: the OpenAPI document as forms to fill in. It loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_PAGE = Path(__file__).with_name("page.html")


class InteractivePage(OpenAPIRenderPlugin):
    """Served beside the document that it reads."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return _PAGE.read_bytes()
