"""The console's own application: its pages, their errors, and what every answer of it carries."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import jinja2
from litestar import Litestar, Router
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig
from litestar.types import ASGIApp, Message, Scope

from api.console import (
    adding,
    assets,
    channels,
    errors,
    health,
    misses,
    overview,
    picture,
    pictures,
    public,
    sign_in,
    statistics,
    trying,
    users,
)
from api.console.console import Console
from api.edge import refusals
from api.service import Service
from engine.errors import ObverseError

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Scripts and styles come from files of this server alone. Pictures may lie in a page, as the answer of Try does."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_PAGES = (
    adding, channels, health, misses, overview, picture, pictures, sign_in, statistics, trying, users
)  # fmt: skip


def create_site(service: Service) -> ASGIApp:
    """The application behind /console and /try."""
    console = Console(service)
    routes = Router("/console", route_handlers=[handler for module in _PAGES for handler in module.HANDLERS])
    site = Litestar(
        [routes, Router("/console/assets", route_handlers=assets.HANDLERS), *public.HANDLERS],
        dependencies={"console": Provide(lambda: console, sync_to_thread=False)},
        exception_handlers={
            ObverseError: errors.refused,
            HTTPException: errors.http_error,
            Exception: refusals.unexpected(errors.unexpected),
        },
        template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(_environment())),
        before_send=[_secured],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,  # api.edge.body holds the limits, while receiving
        debug=False,
    )
    site.state.console = console
    return site


async def _secured(message: Message, _: Scope) -> None:
    """Every answer, refusals too, carries HEADERS; what a page says of itself is left as it is."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["when"] = _when
    environment.filters["size"] = _size
    environment.filters["number"] = lambda value: f"{value:,}".replace(",", "\u202f")
    environment.filters["ratio"] = lambda value: f"{value:.1f}"
    environment.globals["asset"] = assets.address
    return environment


def _when(seconds: float) -> str:
    """A time in UTC, to the minute."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")


def _size(count: float) -> str:
    """1234567 as "1.23 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
