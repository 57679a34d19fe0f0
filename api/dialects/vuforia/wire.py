"""Answers: compact JSON, texts and pages, and the headers of the vendor's service where settings want them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Literal

from litestar.response.base import ASGIResponse

from api.dialects.vuforia.codes import Row

Who = Literal["VWS", "VWQ"]
JSON = "application/json"
_PAGES = {
    400: "Bad Request",
    404: "Not Found",
    413: "Request Entity Too Large",
}
_ID = re.compile(r"[0-9a-f]{32}")
_UNSENDABLE = re.compile(r"[^\x20-\x7e]")


def as_json(content: Mapping[str, Any]) -> bytes:
    """Without white space, as the vendor writes it."""
    return json.dumps(content, separators=(",", ":")).encode()


def page(status: int) -> bytes:
    """For people."""
    title = f"{status} {_PAGES[status]}"
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n".encode()


def refusal(row: Row, text: str, *, transaction_id: str) -> tuple[bytes, str]:
    """Body and content type of an error; both empty where the vendor's are."""
    if row.code:
        body = as_json({"transaction_id": transaction_id, "result_code": row.code})
        return body.replace(b":", b": ", 1) if row.spaced else body, JSON
    if row.text.startswith("text/html"):
        return page(row.http), row.text
    return (text.encode("latin-1", "replace"), row.text) if row.text else (b"", "")


def response(
    body: bytes, content_type: str, *, status: int, headers: Mapping[str, str], vendors: Mapping[str, str]
) -> ASGIResponse:
    """vendors: headers that look like the vendor's. A content type that is empty is not sent."""
    sent = {**headers, **vendors}
    made = ASGIResponse(body=body, status_code=status, headers=sent, media_type=content_type or JSON)
    if content_type:
        made.headers["content-type"] = content_type  # as it is: Litestar adds a charset to texts
    else:
        del made.headers["content-type"]
    return made


def vendors_headers(who: Who, *, status: int, started: float) -> dict[str, str]:
    """started: when the request came, by the monotonic clock."""
    if who == "VWQ":
        return {"connection": "Close" if status == 413 else "keep-alive", "server": "nginx"}
    return {
        "connection": "keep-alive",
        "server": "envoy",
        "strict-transport-security": "max-age=31536000",
        "x-aws-region": "self-hosted",
        "x-content-type-options": "nosniff",
        "x-envoy-upstream-service-time": str(max(2, round(1000 * (time.monotonic() - started)))),
    }


def is_transaction_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def as_header(text: str) -> str:
    """What of a sentence can stand in a header."""
    return _UNSENDABLE.sub("?", text)[:200]
