"""The OpenAPI description of a call, made from the contract's table."""

from __future__ import annotations

from dataclasses import dataclass

from litestar.openapi.spec import (
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIFormat

from api.dialects.native.codes import ROWS
from api.dialects.native.contract import Call, Value


def documented(call: Call) -> type[Operation]:
    """An operation class that adds parameters, form, errors and an example to what Litestar finds itself."""

    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            self.summary, self.operation_id, self.description = call.name, call.name, call.about
            # Litestar knows of the address's own parameters only.
            queried = [Parameter(v.name, "query", _schema(v), description=v.about) for v in call.parameters]
            self.parameters = [*(self.parameters or []), *queried]
            if call.fields:
                self.request_body = _form(call)
            done = dict(self.responses or {})
            for answer in done.values():
                assert isinstance(answer, OpenAPIResponse)
                for media in (answer.content or {}).values():
                    assert isinstance(media, OpenAPIMediaType)
                    media.examples = {"answer": Example(summary="an answer", value=call.example)}
            self.responses = {**done, **{str(status): _refusal(status) for status in call.statuses}}

    return Documented


def _form(call: Call) -> RequestBody:
    form = Schema(type=OpenAPIType.OBJECT, properties={value.name: _schema(value) for value in call.fields})
    return RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


def _schema(value: Value) -> Schema:
    is_file = value.kind == "file"
    return Schema(
        type=OpenAPIType.STRING if is_file else OpenAPIType(value.kind),
        format=OpenAPIFormat.BINARY if is_file else None,
        description=value.about,
        examples=None if value.example is None else [value.example],
    )


def _refusal(status: int) -> OpenAPIResponse:
    rows = {row.word: row.about for row in ROWS.values() if row.status == status}
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties={
            "error": Schema(type=OpenAPIType.STRING, enum=sorted(rows)),
            "message": Schema(type=OpenAPIType.STRING),
        },
        required=["error", "message"],
    )
    word, about = next(iter(sorted(rows.items())))
    example = Example(summary=word, value={"error": word, "message": about})
    content = {"application/json": OpenAPIMediaType(schema=schema, examples={word: example})}
    return OpenAPIResponse(
        description=" ".join(f"`{word}`: {about}" for word, about in sorted(rows.items())), content=content
    )
