"""The one place where the parts of the service are put together."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, Response
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Server

from api import operations
from api.console import mount as console
from api.dialects.easyar import parameters
from api.dialects.easyar import routes as easyar
from api.dialects.kivicube import routes as kivicube
from api.dialects.kivicube.contract import METHODS
from api.dialects.native import contract as native_contract
from api.dialects.native import routes as native
from api.dialects.vuforia import routes as vuforia
from api.edge.page import InteractivePage
from api.edge.requests import RequestFrame, unframed
from api.errors import SettingError
from api.service import Service
from api.settings import Settings
from engine.image import can_decode
from engine.recognizer import Recognizer

logger = logging.getLogger(__name__)


def check_settings(settings: Settings) -> None:
    """Raises SettingError where the memory share lets no largest body in: without a length all such would be busy for
    ever; and where a format cannot be read here."""
    for name in settings.formats:
        if not can_decode(name):
            raise SettingError(f"formats: {name} cannot be read here; install obverse[heic]")
    rules = [
        *(method.rules(settings) for method in METHODS),
        parameters.rules(settings),
        vuforia.rules(settings),
        native_contract.rules(settings),
    ]
    least = max(rule.most_reserved for rule in rules)
    if settings.max_buffered_bytes < least:
        raise SettingError(f"max_buffered_bytes: at least {least} with these limits of images and metadata")


def create_app(settings: Settings, *, recognizer: Recognizer, token: str = "") -> Litestar:
    """The application on an open recognizer, which it closes when it stops.

    token: opens /internal/statistics; empty: nobody gets in.
    """
    service = Service(settings, recognizer, token=token)
    app = Litestar(
        [
            *kivicube.routers(),
            *easyar.routers(),
            *vuforia.routers(settings),
            native.router(),
            operations.router(),
            *(console.handlers(service) if settings.console else ()),
        ],
        dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
        exception_handlers={HTTPException: _http_error},
        middleware=[RequestFrame(service.metrics, service.memory)],
        cors_config=CORSConfig(allow_origins=list(settings.cors_origins)) if settings.cors_origins else None,
        lifespan=[lambda _: _running(service)],
        openapi_config=_document(settings.path_prefix),
        logging_config=None,
        request_max_body_size=None,  # api.edge.body holds the limits, while receiving
        debug=False,
    )
    app.state.service = service
    return app


def _document(prefix: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Obverse",
        version=_version(),
        description="Recognises pictures in photographs, in four dialects: Obverse's own calls under /v1, and those of "
        "Kivicube, EasyAR (shown under /easyar, and answered at the root, too) and Vuforia (under /vuforia).",
        path="/docs",
        servers=[Server(url=prefix or "/")],
        render_plugins=[InteractivePage(path="/"), JsonRenderPlugin(path="/openapi.json")],
    )


def _version() -> str:
    try:
        return importlib.metadata.version("obverse")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
        return "0"


@contextlib.asynccontextmanager
async def _running(service: Service) -> AsyncIterator[None]:
    """Warms up while /health answers already; ends by finishing what is in flight and saving everything."""
    warming = asyncio.create_task(_warm_up(service))
    beside = {asyncio.create_task(service.imports.run()), asyncio.create_task(service.misses.run())}
    try:
        yield
    finally:
        service.readiness.stopping()
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        seconds = service.settings.stop_timeout_seconds
        _, idle = await asyncio.gather(
            asyncio.wait({warming}, timeout=seconds), service.door.close(timeout_seconds=seconds)
        )
        if idle and warming.done():
            service.close()
        else:
            service.readiness.hung()
            logger.error("calls of the engine did not end in time; what was acknowledged is durable")


async def _warm_up(service: Service) -> None:
    try:
        await asyncio.to_thread(service.recognizer.warm_up)
    except Exception:  # whatever it is: a task that nobody asks for its error would be silent until the stop
        logger.exception("the engine cannot start; /ready stays at 503")
    else:
        service.readiness.warmed_up()


def _http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """The framework's own refusals: an unknown path (404), another verb than POST (405)."""
    headers = {**(error.headers or {}), **unframed(request, error.status_code)}
    if error.status_code == 404 and vuforia.is_ours(request):
        return vuforia.unrouted(headers)
    return Response({"message": error.detail}, status_code=error.status_code, headers=headers)
