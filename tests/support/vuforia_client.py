"""Vuforia's clients as they sign and spell their requests, and what their answers must look like."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx

from api.accounts.databases import AccessPair, Databases
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from engine.catalogue import Catalogue
from tests.support.running_server import Caller

HEXADECIMAL = re.compile(r"[0-9a-f]{32}")
UNKNOWN = "0" * 32
"""A target_id that no target has."""


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def http_date(*, minutes: float = 0) -> str:
    """Now, or so much later."""
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes), usegmt=True)


@dataclass(frozen=True, kw_only=True)
class Vuforia:
    """A database's client. `server` and `client` are its pairs of keys."""

    http: httpx.Client = field(repr=False)
    server: AccessPair
    client: AccessPair
    prefix: str = "/vuforia"
    """What stands before the path that is signed."""

    def authorization(
        self, pair: AccessPair, verb: str, path: str, *, body: bytes, content_type: str, date: str
    ) -> str:
        lines = (verb, hashlib.md5(body).hexdigest(), content_type, date, path)
        made = hmac.new(pair.secret_key.encode(), "\n".join(lines).encode(), "sha1").digest()
        return f"VWS {pair.access_key}:{b64(made)}"

    def send(self, verb: str, path: str, content: Any = None, **headers: str | None) -> httpx.Response:
        """A signed request of the management. content: JSON, or bytes as they are; headers: replace those that are
        signed for, None leaves one out."""
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        date = headers.get("date", http_date()) or ""
        kind = headers.get("content_type", "application/json") or ""
        signed = self.authorization(self.server, verb, path, body=body, content_type=kind, date=date)
        return self.raw(
            verb, path, body, **{"authorization": signed, "content_type": kind or None, "date": date or None, **headers}
        )

    def raw(self, verb: str, path: str, body: bytes, **headers: str | None) -> httpx.Response:
        """As it is given."""
        given = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        request = self.http.build_request(verb, self.prefix + path, content=body or None, headers=given)
        for name, value in headers.items():
            if value is None:
                request.headers.pop(name.replace("_", "-"), None)
        return self.http.send(request)

    def query(
        self, image: bytes | None, *, fields: dict[str, Any] | None = None, **headers: str | None
    ) -> httpx.Response:
        """A signed query. fields: text parts."""
        body, kind = multipart_body(image, fields or {})
        return self.send_query(body, content_type=headers.pop("content_type", kind), **headers)

    def send_query(self, body: bytes, *, content_type: str | None, **headers: str | None) -> httpx.Response:
        """A signed query with a body as it is."""
        date = headers.get("date", http_date()) or ""
        signed = self.authorization(
            self.client, "POST", "/v1/query", body=body, content_type="multipart/form-data", date=date
        )
        given = {"authorization": signed, "content_type": content_type, "date": date or None, **headers}
        return self.raw("POST", "/v1/query", body, **given)

    def add(self, image: bytes, **fields: Any) -> str:
        """The target_id of a new target."""
        given = {"name": uuid.uuid4().hex, "width": 1, "image": b64(image), **fields}
        return succeeded(self.send("POST", "/targets", given), status=201, code="TargetCreated")["target_id"]

    def get(self, target_id: str) -> dict[str, Any]:
        return succeeded(self.send("GET", f"/targets/{target_id}"))

    def found(self, image: bytes, **fields: Any) -> list[dict[str, Any]]:
        """The results of a query that must succeed."""
        return queried(self.query(image, fields=fields))

    def with_pairs(self, *, server: AccessPair | None = None, client: AccessPair | None = None) -> Vuforia:
        return replace(self, server=server or self.server, client=client or self.client)


def multipart_body(image: bytes | None, fields: dict[str, Any]) -> tuple[bytes, str]:
    """Body and content type, as `requests` writes them."""
    files: list[tuple[str, Any]] = [(name, (None, str(value))) for name, value in fields.items()]
    if image is not None:
        files.insert(0, ("image", ("image.jpeg", image, "image/jpeg")))
    request = httpx.Request("POST", "http://x", files=files or [("", (None, ""))])
    return request.read(), request.headers["content-type"]


def make_database(
    folder: Path, channel: str, owner: Caller, http: httpx.Client, *, quota: int | None = None, active: bool = True
) -> Vuforia:
    """A new channel of the owner's, with a database."""
    with contextlib.closing(Catalogue(folder)) as catalogue:
        Accounts(catalogue.database)
        databases, made = (
            Databases(catalogue.database, Vault(folder)),
            catalogue.add_channel(channel, owner=owner.id, quota=quota),
        )
        keys = databases.add(made)
        databases.set_active(made, active=active)
        return Vuforia(http=http, server=keys.server, client=keys.client)


def succeeded(response: httpx.Response, *, status: int = 200, code: str = "Success") -> dict[str, Any]:
    """The whole answer of the management."""
    answer = response.json()
    assert (response.status_code, answer["result_code"]) == (status, code), (answer, response.headers)
    assert HEXADECIMAL.fullmatch(answer["transaction_id"])
    assert response.headers["content-type"] == "application/json"
    assert response.text.replace(": ", ":") == json.dumps(answer, separators=(",", ":")).replace(": ", ":")
    return answer


def refused(response: httpx.Response, status: int, code: str) -> None:
    """An error in JSON, which holds two fields and no more."""
    answer = succeeded(response, status=status, code=code)
    assert set(answer) == {"transaction_id", "result_code"}


def empty(response: httpx.Response, status: int) -> None:
    """An error without a body."""
    assert (response.status_code, response.content) == (status, b"")
    assert "content-type" not in response.headers


def queried(response: httpx.Response) -> list[dict[str, Any]]:
    """The results of a query."""
    answer = response.json()
    assert (response.status_code, answer["result_code"]) == (200, "Success"), answer
    assert set(answer) == {"result_code", "results", "query_id"}
    assert HEXADECIMAL.fullmatch(answer["query_id"])
    return answer["results"]
