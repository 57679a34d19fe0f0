"""Pieces of the OpenAPI document, for dialects that describe their calls in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar.enums import HttpMethod
from litestar.openapi.spec import (
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

JSON = "application/json"
FORM = "multipart/form-data"


@dataclass(frozen=True, kw_only=True)
class Value:
    """A field of a body, or a parameter of an address."""

    name: str
    about: str
    kind: str = "string"
    """Of JSON Schema; "file" for a file; empty: any."""
    required: bool = False
    """For readers, and for who makes requests by the document: the order of checks decides what a missing one
    answers."""
    example: Any = None


def operation(
    *,
    name: str,
    about: str,
    answers: Mapping[int, OpenAPIResponse],
    parameters: Sequence[Parameter] = (),
    body: RequestBody | None = None,
    example: Any = None,
) -> type[Operation]:
    """An operation class for a handler. answers: by status of HTTP; of those that Litestar finds itself (the success of
    a handler with a type) the structure stays. example: of such a success. Parameters of the path it finds, too."""

    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            self.summary, self.description = name, about
            self.parameters = [*(self.parameters or []), *parameters]
            self.request_body = body or self.request_body
            found = dict(self.responses or {})
            for answer in found.values():
                assert isinstance(answer, OpenAPIResponse)
                for media in (answer.content or {}).values():
                    assert isinstance(media, OpenAPIMediaType)
                    media.examples = {"answer": Example(summary="an answer", value=example)}
            self.responses = {**found, **{str(status): answer for status, answer in answers.items()}}

    return Documented


def id_of(_: object, verb: HttpMethod | Method, parts: list[str | PathParameterDefinition]) -> str:
    """An operation's id by its verb and path, for handlers that are made from a table and are all called the same."""
    names = (part if isinstance(part, str) else part.name for part in parts)
    return "-".join([HttpMethod(verb).value.lower(), *names])


def schema_of(value: Value) -> Schema:
    """Of one value."""
    is_file = value.kind == "file"
    return Schema(
        type=OpenAPIType.STRING if is_file else OpenAPIType(value.kind) if value.kind else None,
        format=OpenAPIFormat.BINARY if is_file else None,
        description=value.about,
        examples=None if value.example is None else [value.example],
    )


def object_of(values: Sequence[Value]) -> Schema:
    """Of an object that has these and may have others."""
    return Schema(
        type=OpenAPIType.OBJECT,
        properties={value.name: schema_of(value) for value in values},
        required=[value.name for value in values if value.required] or None,
    )


def parameter(value: Value, *, where: str = "query") -> Parameter:
    """where: query or header."""
    return Parameter(value.name, where, schema_of(value), description=value.about, required=value.required)


def body_of(values: Sequence[Value], *, kind: str = JSON, example: Any = None) -> RequestBody:
    """kind: its content type; example: a whole one."""
    examples: dict[str, Example | Reference] | None = None
    if example is not None:
        examples = {"request": Example(summary="a request", value=example)}
    return RequestBody(content={kind: OpenAPIMediaType(schema=object_of(values), examples=examples)}, required=True)


def answer_of(
    about: str, *, schema: Schema | None = None, examples: Mapping[str, Any] | None = None, kind: str = JSON
) -> OpenAPIResponse:
    """schema: None where the body may be anything, or nothing."""
    if schema is None and not examples:
        return OpenAPIResponse(description=about)
    shown: dict[str, Example | Reference] = {
        name: Example(summary=name, value=value) for name, value in (examples or {}).items()
    }
    return OpenAPIResponse(description=about, content={kind: OpenAPIMediaType(schema=schema, examples=shown or None)})
