"""The OpenAPI description of this dialect. What is answered is in the tables of codes; here is how the calls look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema

from api.dialects.vuforia.codes import CREATED, MANAGEMENT, MEANINGS, QUERY, SUCCESS, Row, Table
from api.dialects.vuforia.contract import Call
from api.edge.document import FORM, JSON, Value, answer_of, body_of, operation, parameter

_ID, _TRANSACTION = "0c2d6f1a3a526a0e4f0e9d625b0d2c1f", "9b0e2f7c5d4141d4a8f1c9e1b7a3d2f0"
_HEADERS = (
    Value(
        name="Authorization",
        about="`VWS ACCESS_KEY:SIGNATURE`: HMAC-SHA1 over verb, MD5 of the body, content type, Date and path.",
        required=True,
        example="VWS 2f7c...:Zm9v...",
    ),
    Value(name="Date", about="As in RFC 7231.", required=True, example="Sat, 31 Jan 2026 12:00:00 GMT"),
)
_IMAGE = Value(name="image", about="A JPEG or PNG in grey or RGB, in base64.", example="/9j/4AAQSkZJRg...")
_FIELDS = (
    Value(name="name", about="1 to 64 characters, unique in the database.", example="cover"),
    Value(name="width", kind="number", about="Above 0, in your scene's unit.", example=1),
    _IMAGE,
    Value(name="active_flag", kind="", about="true or false: whether it can be found.", example=True),
    Value(name="application_metadata", kind="", about="Base64 of at most 1,048,575 bytes.", example="eyJhIjogMX0="),
)
_COUNTS = {"total_recos": 7, "current_month_recos": 2, "previous_month_recos": 5}
_SUMMARY: dict[str, Any] = {
    "name": "books",
    "active_images": 3,
    "inactive_images": 0,
    "failed_images": 0,
    "processing_images": 0,
    "target_quota": 1000,
    **_COUNTS,
    "reco_threshold": 1000,
    "request_quota": 100000,
    "request_usage": 0,
}
_RECORD = {
    "target_id": _ID,
    "active_flag": True,
    "name": "cover",
    "width": 1,
    "tracking_rating": 4,
    "reco_rating": "",
}


class _Row(NamedTuple):
    """One call."""

    about: str
    """What it does."""
    answer: dict[str, Any]
    """A success, beside result_code and transaction_id."""
    fields: tuple[Value, ...] = ()
    """Of its body."""


_ROWS = {
    "addTarget": _Row("Adds a target.", {"target_id": _ID}, _FIELDS),
    "listTargets": _Row("Lists all target_ids.", {"results": [_ID]}),
    "getTarget": _Row("Tells a target's facts.", {"target_record": _RECORD, "status": "success"}),
    "updateTarget": _Row("Changes a target; absent fields stay.", {}, _FIELDS),
    "deleteTarget": _Row("Removes a target.", {}),
    "getDuplicates": _Row("Finds other targets that are alike.", {"similar_targets": []}),
    "databaseSummary": _Row("Counts the database's targets and matches.", _SUMMARY),
    "targetSummary": _Row(
        "Tells a target's status and counts its matches.",
        {
            "status": "success",
            "database_name": "books",
            "target_name": "cover",
            "upload_date": "2026-01-31",
            "active_flag": True,
            "tracking_rating": 4,
            **_COUNTS,
        },
    ),
}
_DATA = {"target_timestamp": 1767225600, "name": "cover", "application_metadata": None}
_FOUND = {
    "result_code": SUCCESS,
    "results": [{"target_id": _ID, "target_data": _DATA}],
    "query_id": _TRANSACTION,
}


def documented(call: Call) -> type[Operation]:
    row = _ROWS[call.name]
    needed = {"name", "width", "image"} if call.name == "addTarget" else set()
    values = [Value(**{**vars(value), "required": value.name in needed}) for value in row.fields]
    code = CREATED if call.status == 201 else SUCCESS
    example = {"result_code": code, "transaction_id": _TRANSACTION, **row.answer}
    return operation(
        name=f"Vuforia {call.name}",
        about=row.about,
        parameters=[parameter(value, where="header") for value in _HEADERS],
        body=body_of(values) if values else None,
        answers={call.status: _success(code, "transaction_id", example), **_refusals(MANAGEMENT)},
    )


def documented_query() -> type[Operation]:
    values = (
        Value(name="image", kind="file", about="The photo, JPEG or PNG, at most 2 MiB.", required=True),
        Value(name="max_num_results", kind="integer", about="Most results, 1 to 50.", example=1),
        Value(name="include_target_data", about="`top`, `all` or `none`.", example="top"),
    )
    return operation(
        name="Vuforia query",
        about="Tells which target a photo shows. Keys are those of the client.",
        parameters=[parameter(value, where="header") for value in _HEADERS],
        body=body_of(values, kind=FORM),
        answers={200: _success(SUCCESS, "query_id", _FOUND), **_refusals(QUERY)},
    )


def _success(code: str, number: str, example: dict[str, Any]) -> OpenAPIResponse:
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties={"result_code": Schema(enum=[code]), number: Schema(type=OpenAPIType.STRING)},
        required=["result_code", number],
    )
    return answer_of(f"`{code}`: {MEANINGS[code]}.", schema=schema, examples={"answer": example})


def _refusals(table: Table) -> dict[int, OpenAPIResponse]:
    """By status of HTTP: JSON with a result code, a text, a page, or nothing."""
    by_status: dict[int, list[Row]] = {}
    for row in table.values():
        by_status.setdefault(row.http, []).append(row)
    return {status: _refusal(rows) for status, rows in sorted(by_status.items())}


def _refusal(rows: Sequence[Row]) -> OpenAPIResponse:
    codes = sorted({row.code for row in rows if row.code})
    about = " ".join(f"`{code}`: {MEANINGS[code]}." for code in codes) or "A text, a page, or nothing."
    if not codes:
        return answer_of(about)
    examples = {code: {"transaction_id": _TRANSACTION, "result_code": code} for code in codes}
    # Where a text or nothing may come too, what JSON says is told by the examples alone.
    schema = None
    if all(row.code for row in rows):
        schema = Schema(
            type=OpenAPIType.OBJECT,
            properties={"transaction_id": Schema(type=OpenAPIType.STRING), "result_code": Schema(enum=codes)},
            required=["transaction_id", "result_code"],
        )
    answer = answer_of(about, schema=schema, examples=examples)
    for kind in {row.text.partition(";")[0] for row in rows if row.text} - {JSON}:
        answer.content = {**(answer.content or {}), kind: OpenAPIMediaType()}
    return answer
