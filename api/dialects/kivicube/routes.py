"""The seven paths, at the root and under /kivicube, as Litestar handlers.

Every answer of a method is HTTP 200 with a `returncode`: clients of this protocol look at nothing else.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.dialects.kivicube import codes, contract, wire
from api.dialects.kivicube.document import documented
from api.edge.body import BodyReader
from api.edge.requests import note, request_id
from api.errors import BodyTooLarge, Busy, MalformedBody, NotMultipart
from api.service import Service
from engine.errors import ObverseError

logger = logging.getLogger(__name__)
ServiceHere = NamedDependency[SkipValidation[Service]]
AnyRequest = Request[Any, Any, Any]
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
    reader = BodyReader(method.rules(service.settings), service.memory)
    try:
        try:
            form = await reader.read(request.receive, request.headers.get("content-type", ""))
        except MalformedBody as error:
            if method.file:
                raise NotMultipart(error.reason, close=error.close) from error
            raise
        except BodyTooLarge as error:
            if not method.file:  # whose lists of codes know no file size
                raise MalformedBody(str(error), close=error.close) from error
            raise
        answer = await method.call(service, form)
    except ObverseError as error:
        return _refusal(request, method, error)
    finally:
        reader.close()
    return _rendered(request, method, answer)


def _refusal(request: AnyRequest, method: contract.Method, error: ObverseError) -> Response[Any]:
    code, text, headers = codes.code_of(error), str(error), {}
    if codes.is_failure(error):
        logger.error("%s failed", method.name, exc_info=error)
        text = "the request failed on the server"
    if code == codes.BUSY:
        seconds = error.retry_after_seconds if isinstance(error, Busy) else 1
        headers["Retry-After"] = str(seconds)
        text = f"{text} (request {request_id(request)})"
    if isinstance(error, BodyTooLarge | MalformedBody | NotMultipart) and error.close:
        headers["Connection"] = "close"
    return _rendered(request, method, wire.Answer(returncode=code, message=text), headers)


def _rendered(
    request: AnyRequest, method: contract.Method, answer: wire.Answer, headers: dict[str, str] | None = None
) -> Response[Any]:
    note(request, method=method.name, code=answer.returncode)
    return _rendered_bytes(answer, headers)


def _rendered_bytes(answer: wire.Answer, headers: dict[str, str] | None) -> Response[Any]:
    return Response(_encoder.encode(answer), status_code=200, media_type="application/json", headers=headers)


def _unexpected(request: AnyRequest, error: Exception) -> Response[Any]:
    """What nobody foresaw: the trace goes to the log, the client gets the request's id."""
    logger.error("unexpected failure", exc_info=error)
    text = f"the request failed on the server (request {request_id(request)})"
    answer = wire.Answer(returncode=codes.BUSY, message=text)
    note(request, method=request.url.path.rsplit("/", 1)[-1], code=codes.BUSY)
    return _rendered_bytes(answer, {"Retry-After": "1"})


HANDLERS = [add_image, remove_image, get_images, get_image, update_image_info, statistics, find_image]


def routers() -> list[Router]:
    """The methods at the root, and again under /kivicube, which the document leaves out."""
    common: dict[str, Any] = {"route_handlers": HANDLERS, "exception_handlers": {Exception: _unexpected}}
    return [Router("/", tags=["Kivicube"], **common), Router("/kivicube", include_in_schema=False, **common)]
