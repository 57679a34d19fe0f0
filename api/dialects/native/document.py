"""The OpenAPI description of a call, made from the contract's table."""

from __future__ import annotations

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat

from api.dialects.native.codes import ROWS
from api.dialects.native.contract import Call
from api.edge.document import FORM, answer_of, body_of, operation, parameter, schema_of


def documented(call: Call) -> type[Operation]:
    """An operation class that adds parameters, form, errors and an example to what Litestar finds itself."""
    return operation(
        name=call.name,
        about=call.about,
        parameters=[parameter(value) for value in call.parameters],
        body=_body(call),
        answers={**_archive(call), **{status: _refusal(status) for status in call.statuses}},
        example=call.example,
    )


def _body(call: Call) -> RequestBody | None:
    if call.fields:
        return body_of(call.fields, kind=FORM)
    if call.body is None:
        return None
    kinds = ("application/octet-stream", "application/x-tar", "application/zip", "application/x-ndjson")
    return RequestBody(content={kind: OpenAPIMediaType(schema=schema_of(call.body)) for kind in kinds}, required=True)


def _archive(call: Call) -> dict[int, OpenAPIResponse]:
    """The success of a call that answers no JSON."""
    if not call.answers:
        return {}
    schema = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
    return {200: answer_of("The archive.", schema=schema, kind=call.answers)}


def _refusal(status: int) -> OpenAPIResponse:
    rows = {row.word: row.about for row in ROWS.values() if row.status == status}
    words = sorted(rows)
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties={
            "error": Schema(type=OpenAPIType.STRING, enum=words),
            "message": Schema(type=OpenAPIType.STRING),
        },
        required=["error", "message"],
    )
    examples = {word: {"error": word, "message": rows[word]} for word in words}
    return answer_of(" ".join(f"`{word}`: {rows[word]}" for word in words), schema=schema, examples=examples)
