"""A Vuforia database, by the Web Services API. Its metadata are told by no call of the management."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from typing import Any

import httpx

from api.dialects.vuforia import signing, targets
from cli.migrate.source import Found, SourceError, answered, of_json

BASE_URL = "https://vws.vuforia.com"
NEEDED = ("access_key", "secret_key")
LACKS = {"metadata": "the service gives no metadata back"}


def found(client: httpx.Client, keys: Mapping[str, str]) -> Iterator[Found]:
    """Every target of the database. Raises SourceError."""
    for target_id in _asked(client, keys, "/targets").get("results", []):
        told = _asked(client, keys, f"/targets/{target_id}")
        record = told.get("target_record", {})
        name, width = str(record.get("name", "")), float(record.get("width", 1))
        yield Found(
            id=target_id,
            name=name,
            identifier=targets.identifier_of(name),
            uuid=targets.uuid_of(target_id),
            active=bool(record.get("active_flag", True)),
            facts=targets.new_facts({}, name=name, width=width, binary=None),
        )


def _asked(client: httpx.Client, keys: Mapping[str, str], path: str) -> dict[str, Any]:
    def send() -> httpx.Response:
        date = formatdate(usegmt=True)
        signature = signing.signature(
            keys["secret_key"],
            verb="GET",
            body_md5=hashlib.md5(b"", usedforsecurity=False).hexdigest(),
            content_type="",
            date=date,
            path=path,
        )
        return client.get(path, headers={"Date": date, "Authorization": f"VWS {keys['access_key']}:{signature}"})

    content = of_json(answered(send))
    if content.get("result_code") != "Success":
        raise SourceError(f"Vuforia answers {content.get('result_code')!r} to {path}")
    return content
