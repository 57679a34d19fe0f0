"""The paths, at the root and under /easyar, as Litestar handlers, and the envelope around every answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, Router, WebSocket, get, post, route, websocket
from litestar.di import NamedDependency, Provide
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation

from api.accounts.apps import App
from api.dialects.easyar import codes, methods, parameters, signing
from api.dialects.easyar.contract import OPERATIONS, Operation
from api.dialects.easyar.document import documented, documented_ping, documented_token
from api.dialects.easyar.methods import Call, Result
from api.dialects.easyar.parameters import Parameters
from api.dialects.easyar.tokens import Permission, Tokens
from api.edge import refusals
from api.edge.body import BodyReader
from api.edge.document import id_of
from api.edge.door import asks
from api.edge.limits import client_network
from api.edge.refusals import AnyRequest
from api.edge.requests import body_length, client_of, note
from api.errors import BodyTooLarge, Busy
from api.service import Service
from engine.errors import InvalidValue, ObverseError

ServiceHere = NamedDependency[SkipValidation[Service]]
TokensHere = NamedDependency[SkipValidation[Tokens]]
AnySocket = WebSocket[Any, Any, Any]
TOKEN_FAILED = 4001025
TUNNEL_FAILED = 20
logger = logging.getLogger(__name__)


class Photo(msgspec.Struct, kw_only=True):
    """What comes through a tunnel, as MessagePack."""

    image: bytes


def _handler(operation: Operation, paths: Sequence[str]) -> HTTPRouteHandler:
    @route(
        list(paths),
        http_method=operation.verb,
        status_code=200,
        operation_class=documented(operation),
        operation_id=id_of,
    )
    async def answer(request: AnyRequest, service: ServiceHere, tokens: TokensHere) -> Response[bytes]:
        return await _answer(request, service, tokens, operation)

    return answer


async def _answer(request: AnyRequest, service: Service, tokens: Tokens, operation: Operation) -> Response[bytes]:
    reader = _reader(request, service)
    try:
        app, asked = await _asked(request, service, tokens, reader, operation)
        asks(app.user.id)
        target_id = str(request.path_params.get("target_id", ""))
        call = Call(
            service=service, tokens=tokens, app=app, parameters=asked, client=client_of(request), target_id=target_id
        )
        done = await operation.call(call)
    except asyncio.CancelledError:
        error = refusals.stopped(service.settings)
        return _refused(request, operation.name, error, failed=operation.failed, overdue=operation.failed)
    except ObverseError as error:
        overdue = operation.failed if operation.overdue is None else operation.overdue
        return _refused(request, operation.name, error, failed=operation.failed, overdue=overdue)
    finally:
        reader.close()
    note(request, method=operation.name, code=done.code)
    missed = done.code == codes.NO_MATCH
    status = service.settings.easyar_search_miss_http_status if missed else 200
    return _response(_envelope(done), status=status)


def _reader(request: AnyRequest, service: Service) -> BodyReader:
    return BodyReader(
        parameters.rules(service.settings), service.memory, lane=service.door.short, client=client_of(request)
    )


async def _asked(
    request: AnyRequest, service: Service, tokens: Tokens, reader: BodyReader, operation: Operation
) -> tuple[App, Parameters]:
    """Who asks, and what counts of what was sent. JSON is decoded and verified in one step, by a thread."""
    content_type, length = request.headers.get("content-type", ""), body_length(request)
    if operation.source == "json":
        limit = parameters.json_limit(service.settings, image=operation.image, meta=operation.meta)
        body = await parameters.read_json(reader, request.receive, content_type, limit=limit, length=length)
        return await service.door.short.run(
            lambda: _who(request, service, tokens, parameters.from_json(body), operation.permission)
        )
    if operation.source == "multipart":
        sent = await parameters.from_multipart(reader, request.receive, content_type, length=length)
    else:
        sent = parameters.from_query(request.scope["query_string"])
    return await service.door.short.run(lambda: _who(request, service, tokens, sent, operation.permission))


def _who(
    request: AnyRequest, service: Service, tokens: Tokens, sent: Parameters, permission: Permission
) -> tuple[App, Parameters]:
    """The app of the token or of the signature, and what it vouches for. Raises what `Tokens.app_of` and `signing_app`
    do, RateLimited."""
    header = request.headers.get("authorization")
    if header is None:
        unsigned_image = service.settings.easyar_unsigned_image
        app, sent = signing.signing_app(service.apps, sent, unsigned_image=unsigned_image)
    else:
        app = tokens.app_of(header, sent, permission)
    service.access.admit(app.user)
    return app, sent


def _envelope(done: Result) -> dict[str, Any]:
    return {"statusCode": done.code, "result": done.result, "timestamp": _now_ms(), **done.more}


def _refusal(code: int, text: str) -> dict[str, Any]:
    """Both error forms: the token service's has `msg` and an empty result."""
    if code > codes.TOKEN_CODES:
        return {"statusCode": code, "msg": text, "result": None, "timestamp": _now_ms()}
    return {"statusCode": code, "result": {"message": text}, "timestamp": _now_ms()}


def _refused(request: AnyRequest, name: str, error: ObverseError, *, failed: int, overdue: int) -> Response[bytes]:
    row = codes.row_of(error, failed=failed, overdue=overdue)
    text = refusals.text_of(error)
    if codes.is_failure(error):
        refusals.log_failure(name, error)
        text = refusals.with_id(codes.MEANINGS[row.code], request)
    note(request, method=name, code=row.code)
    return _response(_refusal(row.code, text), status=row.http, headers=refusals.headers_of(error))


def _response(content: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    encoded = msgspec.json.encode(content)
    return Response(encoded, status_code=status, media_type="application/json", headers=headers)


def _now_ms() -> int:
    return int(time.time() * 1000)


@get("/ping", operation_class=documented_ping())
async def ping() -> Response[bytes]:
    return _response(_envelope(Result(result={"message": "pong"})))


@post("/token/v2", status_code=200, operation_class=documented_token())
async def token(request: AnyRequest, service: ServiceHere, tokens: TokensHere) -> Response[bytes]:
    reader = _reader(request, service)
    try:
        content_type, length = request.headers.get("content-type", ""), body_length(request)
        limit = parameters.json_limit(service.settings)
        body = await parameters.read_json(reader, request.receive, content_type, limit=limit, length=length)
        made = await service.door.short.run(lambda: tokens.make(parameters.from_json(body)))
    except asyncio.CancelledError:
        return _refused(request, "token", refusals.stopped(service.settings), failed=TOKEN_FAILED, overdue=TOKEN_FAILED)
    except ObverseError as error:
        return _refused(request, "token", error, failed=TOKEN_FAILED, overdue=TOKEN_FAILED)
    finally:
        reader.close()
    note(request, method="token", code=codes.OK)
    return _response(_envelope(Result(result=made, more={"msg": "Success"})))


@websocket("/services/recognize/{tunnel:str}")
async def recognize(socket: AnySocket, service: ServiceHere, tokens: TokensHere) -> None:
    """One answer for each photo, until the client closes, or sends nothing for the time of a body."""
    tunnel = str(socket.path_params["tunnel"])
    client = client_network(socket.client.host if socket.client else None)
    await socket.accept()
    try:
        while True:
            async with asyncio.timeout(service.settings.body_timeout_seconds):
                message = await socket.receive_data(mode="binary")
            await socket.send_text(await _answer_frame(service, tokens, tunnel, message, client=client))
    except WebSocketDisconnect:
        return
    except TimeoutError:
        await socket.close()


async def _answer_frame(service: Service, tokens: Tokens, tunnel: str, message: bytes, *, client: str) -> bytes:
    holding = service.memory.reserve(len(message), address=client)
    try:
        if holding is None:
            raise Busy("too many large requests at once", retry_after_seconds=service.settings.retry_after_seconds)
        envelope = _envelope(await _recognised(service, tokens, tunnel, message))
    except ObverseError as error:
        code = codes.row_of(error, failed=TUNNEL_FAILED, overdue=19).code
        if codes.is_failure(error):
            refusals.log_failure("a tunnel", error)
        envelope = _refusal(code, codes.MEANINGS[code] if codes.is_failure(error) else refusals.text_of(error))
    except Exception:  # nobody foresaw it: without this the socket would be closed, and no line tell why
        logger.exception("unexpected failure in a tunnel")
        envelope = _refusal(TUNNEL_FAILED, codes.MEANINGS[TUNNEL_FAILED])
    finally:
        if holding is not None:
            service.memory.give_back(holding)
    service.metrics.requests.labels("tunnel", str(envelope["statusCode"])).inc()
    return msgspec.json.encode(envelope)


async def _recognised(service: Service, tokens: Tokens, tunnel: str, message: bytes) -> Result:
    def who() -> App:
        app = tokens.app_of_tunnel(tunnel)
        service.access.admit(app.user)
        return app

    app = await service.door.short.run(who)
    asks(app.user.id)
    try:
        photo = msgspec.msgpack.decode(message, type=Photo).image
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidValue("image", "one MessagePack map with the photo's bytes is needed") from error
    if len(photo) > parameters.max_image_bytes(service.settings):
        raise BodyTooLarge("image", parameters.max_image_bytes(service.settings))
    call = Call(service=service, tokens=tokens, app=app, parameters=Parameters(values={}), client=tunnel)
    return await methods.recognise(call, photo, tracking=True)


def _unexpected(request: AnyRequest) -> Response[bytes]:
    note(request, method="easyar", code=30)
    text = refusals.with_id(codes.MEANINGS[30], request)
    return _response(_refusal(30, text), status=codes.FAILURES[30])


def _tokens(service: ServiceHere) -> Tokens:
    return Tokens(apps=service.apps, vault=service.vault)


SHOWN = [*(_handler(operation, operation.paths) for operation in OPERATIONS), ping, token, recognize]
ALSO = [_handler(operation, operation.also) for operation in OPERATIONS if operation.also]


def routers() -> list[Router]:
    """The operations at the root, which the document leaves out, and again under /easyar, where it shows them."""
    common: dict[str, Any] = {
        "dependencies": {"tokens": Provide(_tokens, sync_to_thread=False)},
        "exception_handlers": {Exception: refusals.unexpected(_unexpected)},
    }
    return [
        Router("/", route_handlers=[*SHOWN, *ALSO], include_in_schema=False, **common),
        Router("/easyar", route_handlers=ALSO, include_in_schema=False, **common),
        Router("/easyar", route_handlers=SHOWN, tags=["EasyAR"], **common),
    ]
