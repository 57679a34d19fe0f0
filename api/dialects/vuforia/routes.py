"""The calls under /vuforia, as Litestar handlers. `api.server` serves the same at the root of a port of its own: at the
root of the others' one `/targets` would be EasyAR's."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from typing import Any

from litestar import Response, Router, post, route
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation
from litestar.response.base import ASGIResponse

from api.dialects.vuforia import codes, fields, images, management, query, wire
from api.dialects.vuforia.asked import MOUNT, Request
from api.dialects.vuforia.contract import CALLS, Call
from api.dialects.vuforia.document import documented, documented_query
from api.dialects.vuforia.rates import Rates
from api.edge import refusals
from api.edge.body import FRAMING_BYTES, OTHER_FIELDS_BYTES, BodyReader, FormRules
from api.edge.document import id_of
from api.edge.door import asks
from api.edge.refusals import AnyRequest
from api.edge.requests import body_length, client_of, note, request_id, without_id
from api.service import Service
from api.settings import Settings
from engine.errors import ObverseError

ServiceHere = NamedDependency[SkipValidation[Service]]
RatesHere = NamedDependency[SkipValidation[Rates]]
ESCAPED_BASE64 = 1.5
"""Bytes of JSON for one byte in base64: 4/3, and some more where each "/" is escaped."""


def management_limit(settings: Settings) -> int:
    """The most bytes of a body of the management."""
    content = images.target_bytes(settings) + fields.metadata_bytes(settings)
    return int(ESCAPED_BASE64 * content) + OTHER_FIELDS_BYTES


def query_limit(settings: Settings) -> int:
    """The most bytes of a body of the query."""
    return images.query_bytes(settings) + FRAMING_BYTES


def rules(settings: Settings) -> FormRules:
    """Bodies are read whole: a signature covers all of their bytes."""
    return FormRules(
        fields={},
        max_file_bytes=images.target_bytes(settings),
        max_whole_bytes=max(management_limit(settings), query_limit(settings)),
        max_drain_bytes=settings.max_drain_bytes,
        timeout_seconds=settings.body_timeout_seconds,
        stall_seconds=settings.body_stall_seconds,
        retry_after_seconds=settings.retry_after_seconds,
    )


def _handler(call: Call) -> HTTPRouteHandler:
    @route(
        call.path,
        http_method=call.verb,
        status_code=call.status,
        operation_class=documented(call),
        operation_id=id_of,
    )
    async def handle(request: AnyRequest, service: ServiceHere, rates: RatesHere) -> ASGIResponse:
        return await _managed(request, service, rates, call)

    return handle


async def _managed(request: AnyRequest, service: Service, rates: Rates, call: Call) -> ASGIResponse:
    started, reader = time.monotonic(), _reader(request, service)
    try:
        limit = management_limit(service.settings)
        sent = await _received(request, service, rates, reader, call=call.name, limit=limit)
        asked = await service.door.short.run(
            lambda: management.check(sent, takes_body=call.takes_body, works_inactive=call.works_inactive)
        )
        asks(asked.database.user.id)
        content = await call.does(asked)
    except asyncio.CancelledError:
        return _refused(request, service, "VWS", call.name, refusals.stopped(service.settings), started=started)
    except ObverseError as error:
        return _refused(request, service, "VWS", call.name, error, started=started)
    finally:
        reader.close()
    note(request, method=call.name, code=content["result_code"])
    content = {"transaction_id": _transaction_id(request), **content}
    return _response(
        request, service, "VWS", wire.as_json(content), wire.JSON, status=call.status, headers={}, started=started
    )


@post("/v1/query", status_code=200, operation_class=documented_query())
async def ask(request: AnyRequest, service: ServiceHere, rates: RatesHere) -> ASGIResponse:
    started, reader = time.monotonic(), _reader(request, service)
    try:
        limit = query_limit(service.settings)
        sent = await _received(request, service, rates, reader, call=query.NAME, limit=limit)
        question = await service.door.short.run(lambda: query.check(sent))
        content = await query.answer(sent, question)
    except asyncio.CancelledError:
        return _refused(request, service, "VWQ", query.NAME, refusals.stopped(service.settings), started=started)
    except ObverseError as error:
        return _refused(request, service, "VWQ", query.NAME, error, started=started)
    finally:
        reader.close()
    note(request, method=query.NAME, code=content["result_code"])
    content = {**content, "query_id": _transaction_id(request)}
    return _response(request, service, "VWQ", wire.as_json(content), wire.JSON, status=200, headers={}, started=started)


def _reader(request: AnyRequest, service: Service) -> BodyReader:
    return BodyReader(rules(service.settings), service.memory, lane=service.door.short, client=client_of(request))


async def _received(
    request: AnyRequest, service: Service, rates: Rates, reader: BodyReader, *, call: str, limit: int
) -> Request:
    """Raises BodyTooLarge, Busy, and MalformedBody where it does not come in time."""
    body = await reader.read_whole(request.receive, limit=limit, length=body_length(request))
    return Request(
        service=service,
        rates=rates,
        call=call,
        verb=request.method,
        path=request.scope["raw_path"].decode("latin-1").partition("?")[0],
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        client=client_of(request),
        target_id=str(request.path_params.get("target_id", "")),
    )


def _refused(
    request: AnyRequest, service: Service, who: wire.Who, call: str, error: ObverseError, *, started: float
) -> ASGIResponse:
    table = codes.MANAGEMENT if who == "VWS" else codes.QUERY
    row, text = codes.row_of(table, error), refusals.text_of(error)
    if codes.is_failure(table, error):
        refusals.log_failure(call, error)
        text = "failed on the server"
    note(request, method=call, code=row.code or row.http, reason=wire.as_header(text))
    headers = refusals.headers_of(error)
    if row.challenge:
        headers["www-authenticate"] = row.challenge
    if not service.settings.vuforia_strict_headers:
        headers["x-reason"] = wire.as_header(text)
    body, content_type = wire.refusal(row, text, transaction_id=_transaction_id(request))
    return _response(request, service, who, body, content_type, status=row.http, headers=headers, started=started)


def _response(
    request: AnyRequest,
    service: Service,
    who: wire.Who,
    body: bytes,
    content_type: str,
    *,
    status: int,
    headers: dict[str, str],
    started: float,
) -> ASGIResponse:
    vendors: dict[str, str] = {}
    if service.settings.vuforia_strict_headers:
        without_id(request)
        vendors = wire.vendors_headers(who, status=status, started=started)
        if "Connection" in headers:
            del vendors["connection"]
    return wire.response(body, content_type, status=status, headers=headers, vendors=vendors)


def _transaction_id(request: AnyRequest) -> str:
    """The request's own id, under which the log tells more, where it looks like the vendor's."""
    number = request_id(request)
    return number if wire.is_transaction_id(number) else uuid.uuid4().hex


def _unexpected(request: AnyRequest) -> Response[Any]:
    note(request, method="vuforia", code=codes.FAIL)
    content = {"transaction_id": _transaction_id(request), "result_code": codes.FAIL}
    return Response(wire.as_json(content), status_code=500, media_type=wire.JSON)


def is_ours(request: AnyRequest) -> bool:
    """Whether the path lies where the calls are."""
    path = str(request.scope["path"])
    return path == MOUNT or path.startswith(f"{MOUNT}/")


def unrouted(headers: Mapping[str, str]) -> Response[bytes]:
    """For a path that is none of the calls', as the vendor's service answers it."""
    return Response(wire.page(404), status_code=404, media_type=codes.HTML, headers=headers)


def routers(settings: Settings) -> list[Router]:
    rates = Rates(settings)
    return [
        Router(
            MOUNT,
            route_handlers=[*(_handler(call) for call in CALLS), ask],
            dependencies={"rates": Provide(lambda: rates, sync_to_thread=False)},
            exception_handlers={Exception: refusals.unexpected(_unexpected)},
            tags=["Vuforia"],
        )
    ]
