"""The paths under /v1, as Litestar handlers. An error has a status of HTTP, a word and a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Stream

from api.dialects.native import calls, codes, contract, wire
from api.dialects.native.document import documented
from api.edge import refusals
from api.edge.body import BodyReader
from api.edge.refusals import AnyRequest
from api.edge.requests import body_length, client_of, note
from api.errors import WrongCredentials
from api.service import Service
from engine.errors import ObverseError

ServiceHere = NamedDependency[SkipValidation[Service]]
_encoder = msgspec.json.Encoder()


@post("/compare", operation_class=documented(contract.COMPARE), operation_id=contract.COMPARE.name, status_code=200)
async def compare(request: AnyRequest, service: ServiceHere) -> Response[wire.Compared]:
    reader = BodyReader(
        contract.rules(service.settings), service.memory, lane=service.door.short, client=client_of(request)
    )

    async def work() -> wire.Compared:
        form = await reader.read(request.receive, request.headers.get("content-type", ""), length=body_length(request))
        form.client = client_of(request)
        return await calls.compare(service, _key_pair(request), form)

    try:
        return await _answered(request, service, contract.COMPARE, work())
    finally:
        reader.close()


@get("/changes", operation_class=documented(contract.CHANGES), operation_id=contract.CHANGES.name)
async def changes(request: AnyRequest, service: ServiceHere) -> Response[wire.Changes]:
    work = calls.changes(service, _key_pair(request), _query(request))
    return await _answered(request, service, contract.CHANGES, work)


@post(
    "/pictures:import",
    operation_class=documented(contract.TAKE_IMPORT),
    operation_id=contract.TAKE_IMPORT.name,
    status_code=202,
)
async def take_import(request: AnyRequest, service: ServiceHere) -> Response[wire.Import]:
    content_type = request.headers.get("content-type", "")
    work = calls.take_import(service, _key_pair(request), _query(request), content_type, request.receive)
    return await _answered(request, service, contract.TAKE_IMPORT, work, status=202)


@get("/pictures:export", operation_class=documented(contract.EXPORT), operation_id=contract.EXPORT.name)
async def export(request: AnyRequest, service: ServiceHere) -> Response[Any]:
    try:
        name, pieces = await calls.export(service, _key_pair(request), _query(request))
    except ObverseError as error:
        return _refused(request, contract.EXPORT, error)
    note(request, method=contract.EXPORT.name, code=200)
    headers = {"Content-Disposition": f'attachment; filename="{name}.tar"'}
    return Stream(pieces, media_type="application/x-tar", headers=headers)


@get("/imports", operation_class=documented(contract.LIST_IMPORTS), operation_id=contract.LIST_IMPORTS.name)
async def list_imports(request: AnyRequest, service: ServiceHere) -> Response[wire.Imports]:
    work = calls.list_imports(service, _key_pair(request))
    return await _answered(request, service, contract.LIST_IMPORTS, work)


@get("/imports/{number:str}", operation_class=documented(contract.SHOW_IMPORT), operation_id=contract.SHOW_IMPORT.name)
async def show_import(request: AnyRequest, service: ServiceHere) -> Response[wire.Report]:
    work = calls.show_import(service, _key_pair(request), _query(request), str(request.path_params["number"]))
    return await _answered(request, service, contract.SHOW_IMPORT, work)


@delete(
    "/imports/{number:str}",
    operation_class=documented(contract.STOP_IMPORT),
    operation_id=contract.STOP_IMPORT.name,
    status_code=200,
)
async def stop_import(request: AnyRequest, service: ServiceHere) -> Response[wire.Import]:
    work = calls.stop_import(service, _key_pair(request), str(request.path_params["number"]))
    return await _answered(request, service, contract.STOP_IMPORT, work)


def _query(request: AnyRequest) -> dict[str, str]:
    return dict(request.query_params)


def _key_pair(request: AnyRequest) -> str:
    return request.headers.get("authorization", "")


async def _answered(
    request: AnyRequest, service: Service, call: contract.Call, work: Awaitable[msgspec.Struct], *, status: int = 200
) -> Response[Any]:
    try:
        answer = await work
    except asyncio.CancelledError:
        return _refused(request, call, refusals.stopped(service.settings))
    except ObverseError as error:
        return _refused(request, call, error)
    note(request, method=call.name, code=status)
    return _rendered(answer, status=status, headers=None)


def _refused(request: AnyRequest, call: contract.Call, error: ObverseError) -> Response[Any]:
    row, text = codes.row_of(error), refusals.text_of(error)
    if row is codes.FAILED:
        refusals.log_failure(call.name, error)
        text = refusals.with_id("the request failed on the server", request)
    note(request, method=call.name, code=row.status)
    headers = refusals.headers_of(error)
    if isinstance(error, WrongCredentials):
        headers["WWW-Authenticate"] = 'Basic realm="obverse", charset="UTF-8"'
    return _rendered(wire.Refusal(error=row.word, message=text), status=row.status, headers=headers)


def _rendered(answer: msgspec.Struct, *, status: int, headers: dict[str, str] | None) -> Response[Any]:
    return Response(_encoder.encode(answer), status_code=status, media_type="application/json", headers=headers)


def _unexpected(request: AnyRequest) -> Response[Any]:
    note(request, method=request.url.path.rsplit("/", 1)[-1][:40], code=500)
    text = refusals.with_id("the request failed on the server", request)
    return _rendered(wire.Refusal(error=codes.FAILED.word, message=text), status=500, headers=None)


def router() -> Router:
    return Router(
        "/v1",
        route_handlers=[compare, changes, take_import, export, list_imports, show_import, stop_import],
        tags=["Obverse"],
        exception_handlers={Exception: refusals.unexpected(_unexpected)},
    )
