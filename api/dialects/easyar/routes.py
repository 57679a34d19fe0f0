"""The paths, at the root and under /easyar, as Litestar handlers, and the envelope around every answer."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import msgspec
from litestar import Request, Response, Router, WebSocket, get, post, route, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation

from api.accounts.apps import App
from api.dialects.easyar import codes, methods, parameters, signing
from api.dialects.easyar.contract import OPERATIONS, Operation
from api.dialects.easyar.methods import Call, Result
from api.dialects.easyar.parameters import Parameters
from api.dialects.easyar.tokens import Permission, Tokens
from api.edge.body import BodyReader
from api.edge.requests import note, request_id
from api.errors import BodyTooLarge, Busy, MalformedBody
from api.service import Service
from engine.errors import InvalidValue, ObverseError

logger = logging.getLogger(__name__)
ServiceHere = NamedDependency[SkipValidation[Service]]
AnyRequest = Request[Any, Any, Any]
AnySocket = WebSocket[Any, Any, Any]
TOKEN_FAILED = 4001025


class Photo(msgspec.Struct, kw_only=True):
    """What comes through a tunnel, as MessagePack."""

    image: bytes


def _handler(operation: Operation) -> HTTPRouteHandler:
    @route(list(operation.paths), http_method=operation.verb, status_code=200)
    async def answer(request: AnyRequest, service: ServiceHere) -> Response[bytes]:
        return await _answer(request, service, operation)

    return answer


async def _answer(request: AnyRequest, service: Service, operation: Operation) -> Response[bytes]:
    reader = BodyReader(parameters.rules(service), service.memory)
    try:
        asked = await _parameters(request, service, reader, operation)
        app = await service.door.catalogue.run(lambda: _who(request, service, asked, operation.permission))
        target_id = str(request.path_params.get("target_id", ""))
        done = await operation.call(Call(service=service, app=app, parameters=asked, target_id=target_id))
    except ObverseError as error:
        overdue = operation.failed if operation.overdue is None else operation.overdue
        return _refused(request, operation.name, error, failed=operation.failed, overdue=overdue)
    finally:
        reader.close()
    note(request, method=operation.name, code=done.code)
    missed = done.code == codes.NO_MATCH
    status = service.settings.easyar_search_miss_http_status if missed else 200
    return _response(_envelope(done), status=status)


async def _parameters(request: AnyRequest, service: Service, reader: BodyReader, operation: Operation) -> Parameters:
    if operation.source == "query":
        return parameters.from_query(request.scope["query_string"])
    content_type = request.headers.get("content-type", "")
    if operation.source == "multipart":
        return await parameters.from_multipart(reader, request.receive, content_type)
    body = await parameters.read_json(service, reader, request.receive, content_type)
    return await service.door.catalogue.run(lambda: parameters.from_json(body))


def _who(request: AnyRequest, service: Service, asked: Parameters, permission: Permission) -> App:
    """The app of the token or of the signature. Raises what `Tokens.app_of` and `signing_app` do, RateLimited."""
    header = request.headers.get("authorization")
    if header is None:
        app = signing.signing_app(service.apps, asked)
    else:
        app = Tokens(apps=service.apps, vault=service.vault).app_of(header, asked, permission)
    service.admit(app)
    return app


def _envelope(done: Result) -> dict[str, Any]:
    return {"statusCode": done.code, "result": done.result, "timestamp": _now_ms(), **done.more}


def _refusal(code: int, text: str) -> dict[str, Any]:
    """Both error forms: the token service's has `msg` and an empty result."""
    if code > codes.TOKEN_CODES:
        return {"statusCode": code, "msg": text, "result": None, "timestamp": _now_ms()}
    return {"statusCode": code, "result": {"message": text}, "timestamp": _now_ms()}


def _refused(request: AnyRequest, name: str, error: ObverseError, *, failed: int, overdue: int) -> Response[bytes]:
    row = codes.row_of(error, failed=failed, overdue=overdue)
    text, headers = str(error), {}
    if codes.is_failure(error):
        logger.error("%s failed", name, exc_info=error)
        text = f"{codes.MEANINGS[row.code]} (request {request_id(request)})"
    if isinstance(error, Busy):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, BodyTooLarge | MalformedBody) and error.close:
        headers["Connection"] = "close"
    note(request, method=name, code=row.code)
    return _response(_refusal(row.code, text), status=row.http, headers=headers)


def _response(content: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    encoded = msgspec.json.encode(content)
    return Response(encoded, status_code=status, media_type="application/json", headers=headers)


def _now_ms() -> int:
    return int(time.time() * 1000)


@get("/ping")
async def ping() -> Response[bytes]:
    return _response(_envelope(Result(result={"message": "pong"})))


@post("/token/v2", status_code=200)
async def token(request: AnyRequest, service: ServiceHere) -> Response[bytes]:
    reader = BodyReader(parameters.rules(service), service.memory)
    try:
        content_type = request.headers.get("content-type", "")
        body = await parameters.read_json(service, reader, request.receive, content_type)
        tokens = Tokens(apps=service.apps, vault=service.vault)
        made = await service.door.catalogue.run(lambda: tokens.make(parameters.from_json(body)))
    except ObverseError as error:
        return _refused(request, "token", error, failed=TOKEN_FAILED, overdue=TOKEN_FAILED)
    finally:
        reader.close()
    note(request, method="token", code=codes.OK)
    return _response(_envelope(Result(result=made, more={"msg": "Success"})))


@websocket("/services/recognize/{tunnel:str}")
async def recognize(socket: AnySocket, service: ServiceHere) -> None:
    """One answer for each photo, until the client closes, or sends nothing for the time of a body."""
    tunnel = str(socket.path_params["tunnel"])
    await socket.accept()
    try:
        while True:
            async with asyncio.timeout(service.settings.body_timeout_seconds):
                message = await socket.receive_data(mode="binary")
            await socket.send_text(await _answer_frame(service, tunnel, message))
    except WebSocketDisconnect:
        return
    except TimeoutError:
        await socket.close()


async def _answer_frame(service: Service, tunnel: str, message: bytes) -> bytes:
    held = len(message)
    try:
        if not service.memory.take(held):
            held = 0
            raise Busy("too many large requests at once", retry_after_seconds=service.settings.retry_after_seconds)
        envelope = _envelope(await _recognised(service, tunnel, message))
    except ObverseError as error:
        code = codes.row_of(error, failed=20, overdue=19).code
        if codes.is_failure(error):
            logger.error("a tunnel failed", exc_info=error)
        envelope = _refusal(code, codes.MEANINGS[code] if codes.is_failure(error) else str(error))
    finally:
        service.memory.give_back(held)
    service.metrics.requests.labels("tunnel", str(envelope["statusCode"])).inc()
    return msgspec.json.encode(envelope)


async def _recognised(service: Service, tunnel: str, message: bytes) -> Result:
    tokens = Tokens(apps=service.apps, vault=service.vault)

    def who() -> App:
        app = tokens.app_of_tunnel(tunnel)
        service.admit(app)
        return app

    app = await service.door.catalogue.run(who)
    try:
        photo = msgspec.msgpack.decode(message, type=Photo).image
    except msgspec.MsgspecError as error:
        raise InvalidValue("image", "one MessagePack map with the photo's bytes is needed") from error
    if len(photo) > parameters.max_image_bytes(service):
        raise BodyTooLarge("image", parameters.max_image_bytes(service))
    call = Call(service=service, app=app, parameters=Parameters(values={}))
    return await methods.recognise(call, photo, tracking=True)


def _unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    """What nobody foresaw: the trace goes to the log, the client gets the request's id."""
    logger.error("unexpected failure", exc_info=error)
    note(request, method="easyar", code=30)
    text = f"{codes.MEANINGS[30]} (request {request_id(request)})"
    return _response(_refusal(30, text), status=codes.FAILURES[30])


HANDLERS = [*(_handler(operation) for operation in OPERATIONS), ping, token, recognize]


def routers() -> list[Router]:
    """The operations at the root, and again under /easyar. docs/easyar.md describes them; the OpenAPI document of
    the other dialect leaves them out."""
    common: dict[str, Any] = {
        "route_handlers": HANDLERS,
        "exception_handlers": {Exception: _unexpected},
        "include_in_schema": False,
    }
    return [Router(prefix, **common) for prefix in ("/", "/easyar")]
