"""The OpenAPI description of this dialect. What the calls do is in the contract's table; here is how they look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from litestar.openapi.spec import OpenAPIResponse, OpenAPIType, Parameter, Schema
from litestar.openapi.spec import Operation as Described

from api.dialects.easyar.codes import CODES, FAILURES, MEANINGS, NO_MATCH
from api.dialects.easyar.contract import Operation
from api.dialects.easyar.targets import RATES
from api.edge.document import FORM, Value, answer_of, body_of, operation, parameter

_WHO = (
    Value(name="appId", about="The app.", example="2f7c..."),
    Value(name="apiKey", about="Its key, where the request is signed.", example="9b0e..."),
    Value(name="timestamp", about="Milliseconds since 1970, where the request is signed.", example="1767225600000"),
    Value(
        name="signature", about="SHA-256 over all other parameters and the secret (docs/easyar.md).", example="5d41..."
    ),
)
_TOKEN = Value(name="Authorization", about="A token of `/token/v2`, instead of a signature.", example="eyJhcGlLZXki...")
_IMAGE = Value(name="image", about="A JPEG or PNG in base64.", required=True, example="/9j/4AAQSkZJRg...")
_TARGET = (
    Value(name="name", about="Any text.", example="cover"),
    Value(name="type", about="Any text, usually ImageTarget.", example="ImageTarget"),
    Value(name="size", about="Width in your scene's unit.", example="5"),
    Value(name="meta", about="Any text, usually base64; at most 2,000,000 bytes.", example="eyJhIjogMX0="),
    Value(name="active", about="1: it can be found; 0: it cannot.", example="1"),
    Value(name="allowSimilar", about="0: refused where a similar target is there.", example="1"),
)
_SHOWN: dict[str, Any] = {
    "targetId": "6f1a3a52-6a0e-4f0e-9d62-5b0d2c1f7a11",
    "name": "cover",
    "type": "ImageTarget",
    "size": "5",
    "meta": "eyJhIjogMX0=",
    "active": "1",
}
_PAGE = (
    Value(name="pageNum", about="The page, from 1.", example="1"),
    Value(name="pageSize", about="Targets of a page, at most 100.", example="5"),
)
_NO_TRACKING = Value(name="notracking", about="1: the answer comes without the tracking image.", example="1")
_FOUND = {"target": _SHOWN, "targetId": _SHOWN["targetId"]}


class _Row(NamedTuple):
    """One operation."""

    about: str
    """What it does."""
    result: Any
    """An answer's."""
    values: tuple[Value, ...] = ()
    """Its parameters beside those of authentication."""


_ROWS = {
    "createTarget": _Row("Adds a target.", _SHOWN, (_IMAGE, *_TARGET)),
    "listTargets": _Row(
        "Lists targets, latest change first.", {"targets": [_SHOWN], "pageNum": 1, "pageSize": 5, "total": 1}, _PAGE
    ),
    "listTargetsAfter": _Row(
        "The older list: pages that follow a target.",
        {"targets": [_SHOWN]},
        (
            Value(name="limit", about="Targets of a page, at most 100.", example="5"),
            Value(name="last", about="The targetId that ended the page before.", example=_SHOWN["targetId"]),
        ),
    ),
    "countTargets": _Row("Counts the app's targets.", {"count": 1}),
    "showTarget": _Row("Tells a target's facts.", _SHOWN),
    "updateTarget": _Row("Changes a target; absent fields stay.", _SHOWN, _TARGET),
    "deleteTarget": _Row("Removes a target.", {**_SHOWN, "target": _SHOWN}),
    "deleteTargets": _Row(
        "Removes several targets in one change.",
        {"targetId": _SHOWN["targetId"]},
        (
            Value(
                name="targetId", about="Ids, separated by commas; at most 1000.", required=True, example="6f1a...,0c2"
            ),
        ),
    ),
    "similar": _Row(
        "Finds targets that are like an image.", {"date": "2026-01-31T12:00:00.000Z", "results": [_SHOWN]}, (_IMAGE,)
    ),
    "grade": _Row("Grades an image: 0, the best, to 4; -1: unusable.", {"grade": 1}, (_IMAGE,)),
    "gradeDetail": _Row("Grades an image in detail.", {"grade": 1, **dict.fromkeys(RATES, 1)}, (_IMAGE,)),
    "search": _Row("Tells which target a photo shows.", _FOUND, (_IMAGE, _NO_TRACKING)),
    "searchFile": _Row(
        "The same, with the photo as a file.",
        _FOUND,
        (Value(name="image", kind="file", about="The photo.", required=True), _NO_TRACKING),
    ),
    "openTunnel": _Row("Opens a tunnel for photos by WebSocket, good for five minutes.", {"tunnel": "c9e1..."}),
}
_OF_AUTHENTICATION = (1, 2, 3, 4, 6, 4001018, 4001019, 4001024)
_OF_TOKENS = (4001011, 4001012, 4001015, 4001017, 4001022, 4001025)
_MALFORMED = (400, 415)
"""Statuses of a body that is not what it claims to be, with the code 414."""


def documented(row: Operation) -> type[Described]:
    shown = _ROWS[row.name]
    overdue = () if row.overdue is None else (row.overdue,)
    body_codes = () if row.source == "query" else (414, 422)
    codes = sorted({*row.answers, *_OF_AUTHENTICATION, *body_codes, 21, row.failed, *overdue})
    values = (*_WHO, *shown.values)
    token = parameter(_TOKEN, where="header")
    parameters: Sequence[Parameter] = [token]
    body = None
    if row.source == "query":
        parameters = [token, *(parameter(value) for value in values)]
    else:
        body = body_of(values, kind=FORM if row.source == "multipart" else "application/json")
    return operation(
        name=f"EasyAR {row.name}",
        about=f"{shown.about}\n\nCodes:\n\n" + "\n".join(f"- `{code}`: {MEANINGS[code]}" for code in codes),
        parameters=parameters,
        body=body,
        answers=_answers(codes, shown.result),
    )


def documented_token() -> type[Described]:
    acl = '[{"service":"ecs:crs","resource":["APPID"],"effect":"Allow","permission":["READ"]}]'
    values = (
        *_WHO[1:],
        Value(name="expires", kind="integer", about="Seconds that it lasts.", required=True, example=3600),
        Value(name="acl", about="JSON as text: what the token allows.", required=True, example=acl),
    )
    result = {
        "apiKey": "9b0e...",
        "expires": 3600,
        "token": "eyJhcGlLZXki...",
        "expiration": "2026-01-31T12:00:00.000Z",
    }
    return operation(
        name="EasyAR token",
        about="Makes a token for clients that shall not know the secret.",
        body=body_of(values),
        answers=_answers((0, 21, 414, 422, *_OF_TOKENS), result),
    )


def documented_ping() -> type[Described]:
    answers = _answers((0,), {"message": "pong"})
    return operation(name="EasyAR ping", about="Tells that the service is there.", answers=answers)


def _answers(codes: Sequence[int], result: Any) -> dict[int, OpenAPIResponse]:
    """By status of HTTP. A miss has the one that a setting says."""
    by_status: dict[int, list[int]] = {200: [*({0, NO_MATCH} & {*codes})]}
    for code in codes:
        for status in _statuses(code):
            by_status.setdefault(status, []).append(code)
    return {
        status: answer_of(
            " ".join(f"`{code}`: {MEANINGS[code]}." for code in sorted({*found})),
            schema=_envelope(sorted({*found})),
            examples={f"code {code}": _example(code, result) for code in sorted({*found})[:2]},
        )
        for status, found in sorted(by_status.items())
    }


def _statuses(code: int) -> set[int]:
    found = {row.http for row in CODES.values() if row.code == code}
    if code in FAILURES:
        found.add(FAILURES[code])
    if code == 414:
        found |= {200, *_MALFORMED}
    if code == NO_MATCH:
        found |= {200, 404}
    return found or {200}


def _envelope(codes: Sequence[int]) -> Schema:
    return Schema(
        type=OpenAPIType.OBJECT,
        properties={
            "statusCode": Schema(enum=list(codes)),
            "result": Schema(description="What was asked for; of an error its `message`, or null."),
            "msg": Schema(type=OpenAPIType.STRING, description="Of the token service."),
            "timestamp": Schema(type=OpenAPIType.INTEGER, description="Milliseconds since 1970."),
        },
        required=["statusCode", "result", "timestamp"],
    )


def _example(code: int, result: Any) -> dict[str, Any]:
    if code > 4_001_000:
        return {"statusCode": code, "msg": MEANINGS[code], "result": None, "timestamp": 1767225600000}
    told = result if code == 0 else {"message": MEANINGS[code]}
    return {"statusCode": code, "result": told, "timestamp": 1767225600000}
