"""The OpenAPI description of a method, made from the contract's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import (
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIFormat

from api.dialects.kivicube.codes import MEANINGS
from api.dialects.kivicube.contract import Field, Method

_TYPES = {
    "text": OpenAPIType.STRING,
    "number": OpenAPIType.NUMBER,
    "integer": OpenAPIType.INTEGER,
    "file": OpenAPIType.STRING,
}


def documented(method: Method) -> type[Operation]:
    """An operation class that adds the request's fields, and the codes, to what Litestar finds itself."""

    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            self.summary, self.operation_id = method.name, method.name
            listed = "\n".join(f"- `{code}`: {MEANINGS[code]}" for code in method.codes)
            self.description = f"{method.about}\n\nReturn codes:\n\n{listed}"
            self.request_body = _request_body(method)
            self.responses = {"200": _narrowed(method, (self.responses or {})["200"])}

    return Documented


def _request_body(method: Method) -> RequestBody:
    form = Schema(
        type=OpenAPIType.OBJECT,
        properties={field.name: _schema(field) for field in method.fields},
        required=[field.name for field in method.fields if field.required],
    )
    kinds = ["multipart/form-data"]
    if not method.file:
        kinds += ["application/x-www-form-urlencoded", "application/json"]
    return RequestBody(content={kind: OpenAPIMediaType(schema=form) for kind in kinds}, required=True)


def _schema(field: Field) -> Schema:
    return Schema(
        type=_TYPES[field.kind],
        format=OpenAPIFormat.BINARY if field.kind == "file" else None,
        description=field.about,
        pattern=field.pattern,
        examples=[field.example] if field.example else None,
    )


def _narrowed(method: Method, response: Any) -> OpenAPIResponse:
    """The answer's structure, with the codes of this method alone."""
    codes = Schema(properties={"returncode": Schema(enum=method.codes)})
    content = {
        kind: OpenAPIMediaType(
            schema=Schema(all_of=[media.schema, codes]),
            examples={"error": Example(summary="an error", value={"returncode": 20001, "message": MEANINGS[20001]})},
        )
        for kind, media in response.content.items()
    }
    return OpenAPIResponse(description=response.description, content=content)
