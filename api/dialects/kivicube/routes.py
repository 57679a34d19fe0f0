"""The seven paths, at the root and under /kivicube, as Litestar handlers.

Every answer of a method is HTTP 200 with a `returncode`: clients of this protocol look at nothing else.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Response, Router, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.dialects.kivicube import codes, contract, wire
from api.dialects.kivicube.document import documented
from api.edge import refusals
from api.edge.body import BodyReader
from api.edge.refusals import AnyRequest
from api.edge.requests import body_length, client_of, note
from api.errors import BodyTooLarge, MalformedBody, NotMultipart
from api.service import Service
from engine.errors import ObverseError

ServiceHere = NamedDependency[SkipValidation[Service]]
FAILED = "the request failed on the server"
_encoder = msgspec.json.Encoder()


@post("/AddImage", operation_class=documented(contract.ADD_IMAGE), status_code=200)
async def add_image(request: AnyRequest, service: ServiceHere) -> Response[wire.AddImageAnswer]:
    return await _answer(request, service, contract.ADD_IMAGE)


@post("/RemoveImage", operation_class=documented(contract.REMOVE_IMAGE), status_code=200)
async def remove_image(request: AnyRequest, service: ServiceHere) -> Response[wire.RemoveImageAnswer]:
    return await _answer(request, service, contract.REMOVE_IMAGE)


@post("/GetImages", operation_class=documented(contract.GET_IMAGES), status_code=200)
async def get_images(request: AnyRequest, service: ServiceHere) -> Response[wire.GetImagesAnswer]:
    return await _answer(request, service, contract.GET_IMAGES)


@post("/GetImage", operation_class=documented(contract.GET_IMAGE), status_code=200)
async def get_image(request: AnyRequest, service: ServiceHere) -> Response[wire.GetImageAnswer]:
    return await _answer(request, service, contract.GET_IMAGE)


@post("/UpdateImageInfo", operation_class=documented(contract.UPDATE_IMAGE_INFO), status_code=200)
async def update_image_info(request: AnyRequest, service: ServiceHere) -> Response[wire.UpdateImageInfoAnswer]:
    return await _answer(request, service, contract.UPDATE_IMAGE_INFO)


@post("/Statistics", operation_class=documented(contract.STATISTICS), status_code=200)
async def statistics(request: AnyRequest, service: ServiceHere) -> Response[wire.StatisticsAnswer]:
    return await _answer(request, service, contract.STATISTICS)


@post("/FindImage", operation_class=documented(contract.FIND_IMAGE), status_code=200)
async def find_image(request: AnyRequest, service: ServiceHere) -> Response[wire.FindImageAnswer]:
    return await _answer(request, service, contract.FIND_IMAGE)


async def _answer(request: AnyRequest, service: Service, method: contract.Method) -> Response[Any]:
    reader = BodyReader(
        method.rules(service.settings), service.memory, lane=service.door.short, client=client_of(request)
    )
    try:
        try:
            content_type, length = request.headers.get("content-type", ""), body_length(request)
            form = await reader.read(request.receive, content_type, length=length)
            form.client = client_of(request)
        except MalformedBody as error:
            if method.file:
                raise NotMultipart(error.reason, close=error.close) from error
            raise
        except BodyTooLarge as error:
            if not method.file:  # whose lists of codes know no file size
                raise MalformedBody(str(error), close=error.close) from error
            raise
        answer = await method.call(service, form)
    except asyncio.CancelledError:
        return _refusal(request, method, refusals.stopped(service.settings))
    except ObverseError as error:
        return _refusal(request, method, error)
    finally:
        reader.close()
    return _rendered(request, method, answer)


def _refusal(request: AnyRequest, method: contract.Method, error: ObverseError) -> Response[Any]:
    code, text = codes.code_of(error), refusals.text_of(error)
    if codes.is_failure(error):
        refusals.log_failure(method.name, error)
        text = FAILED
    if code == codes.BUSY:
        text = refusals.with_id(text, request)
    headers = refusals.headers_of(error, failures_retry_after=1 if code == codes.BUSY else None)
    return _rendered(request, method, wire.Answer(returncode=code, message=text), headers)


def _rendered(
    request: AnyRequest, method: contract.Method, answer: wire.Answer, headers: dict[str, str] | None = None
) -> Response[Any]:
    note(request, method=method.name, code=answer.returncode)
    return _rendered_bytes(answer, headers)


def _rendered_bytes(answer: wire.Answer, headers: dict[str, str] | None) -> Response[Any]:
    return Response(_encoder.encode(answer), status_code=200, media_type="application/json", headers=headers)


def _unexpected(request: AnyRequest) -> Response[Any]:
    answer = wire.Answer(returncode=codes.BUSY, message=refusals.with_id(FAILED, request))
    note(request, method=request.url.path.rsplit("/", 1)[-1], code=codes.BUSY)
    return _rendered_bytes(answer, {"Retry-After": "1"})


HANDLERS = [add_image, remove_image, get_images, get_image, update_image_info, statistics, find_image]


def routers() -> list[Router]:
    """The methods at the root, and again under /kivicube, which the document leaves out."""
    common: dict[str, Any] = {
        "route_handlers": HANDLERS,
        "exception_handlers": {Exception: refusals.unexpected(_unexpected)},
    }
    return [Router("/", tags=["Kivicube"], **common), Router("/kivicube", include_in_schema=False, **common)]
