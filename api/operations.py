"""Paths for operators: is it alive, can it answer, what does it measure; and the counts, for `obverse stats`."""

from __future__ import annotations

import contextlib
import datetime as dt
import hmac
from typing import Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.edge.page import welcome_page
from api.errors import Busy, StatisticsError
from api.service import Service
from api.stats.numbers import in_words
from api.stats.report import report
from api.stats.store import Question

ServiceHere = NamedDependency[SkipValidation[Service]]


class Health(msgspec.Struct, kw_only=True):
    status: str


@get("/", include_in_schema=False, media_type="text/html")
async def welcome(service: ServiceHere) -> Response[bytes]:
    """For people who open the address in a browser."""
    return Response(
        welcome_page(service.settings.path_prefix, console=service.settings.console),
        media_type="text/html; charset=utf-8",
    )


@get("/health", tags=["Operation"], summary="Whether the process lives")
async def health() -> Health:
    """Needs no thread and no data, so that a stuck engine does not hide a living process."""
    return Health(status="alive")


class Ready(msgspec.Struct, kw_only=True, omit_defaults=True):
    status: str
    counts: str = ""
    """What is wrong with the counts of matches; left out where nothing is."""


@get(
    "/ready", tags=["Operation"], summary="Whether it can answer; 503 while it warms up, stops, or cannot count matches"
)
async def ready(service: ServiceHere) -> Response[Ready]:
    """Where the last match could not be counted it tries to write now, so that it is ready as soon as it can."""
    if not service.readiness.ready:
        return Response(Ready(status="not ready"), status_code=503)
    state = service.count_store.state()
    if state.failing:
        with contextlib.suppress(Busy):
            state = await service.door.short.run(service.count_store.try_again)
    if state.failing:
        return Response(Ready(status="not ready", counts=in_words(state)), status_code=503)
    return Response(Ready(status="ready", counts=in_words(state)))


@get("/metrics", tags=["Operation"], summary="Numbers for Prometheus", media_type="text/plain")
async def metrics(service: ServiceHere) -> Response[bytes]:
    try:
        text = await service.door.short.run(service.metrics.text)
    except Busy as error:
        return Response(str(error).encode(), status_code=503, media_type="text/plain")
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@get("/internal/statistics", include_in_schema=False)
async def internal_statistics(request: Request[Any, Any, Any], service: ServiceHere) -> Response[bytes]:
    """The counts of all users, for who can read the data folder: the token lies there."""
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {service.token}".encode()):
        return Response(b"", status_code=404)
    try:
        asked = msgspec.convert(dict(request.query_params), Asked, strict=False)
        question = Question(first=asked.first, last=asked.last, user_id=asked.user_id, channel=asked.channel)
        found = await service.door.short.run(lambda: report(service.count_store, question, limit=asked.limit))
    except msgspec.ValidationError:
        return Response(b"", status_code=400)
    except (Busy, StatisticsError) as error:
        return Response(str(error).encode(), status_code=503, media_type="text/plain")
    return Response(msgspec.json.encode(found), media_type="application/json")


class Asked(msgspec.Struct, kw_only=True):
    """The query of the internal path."""

    first: dt.date
    last: dt.date
    limit: int = 10
    user_id: int | None = None
    channel: str | None = None


def router() -> Router:
    return Router("/", route_handlers=[welcome, health, ready, metrics, internal_statistics])
