"""An EasyAR app, by its server-end API. It gives the grey picture that clients track, but no original."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from api.dialects.easyar.targets import FACTS
from cli.migrate.source import Found, SourceError, answered, of_json

BASE_URL = None
"""Each app has an address of its own."""
NEEDED = ("appId", "apiKey", "apiSecret")
LACKS: dict[str, str] = {}
_PAGE = 50


def found(client: httpx.Client, keys: Mapping[str, str]) -> Iterator[Found]:
    """Every target of the app. Raises SourceError."""
    page = 1
    while True:
        listed = _asked(client, keys, "/targets/infos", pageNum=str(page), pageSize=str(_PAGE)).get("targets", [])
        for target in listed:
            shown = _asked(client, keys, f"/target/{target['targetId']}")
            yield _found(target["targetId"], shown)
        if len(listed) < _PAGE:
            return
        page += 1


def _found(target_id: str, shown: Mapping[str, Any]) -> Found:
    try:
        known = str(uuid.UUID(target_id))
    except ValueError:  # an id of another kind: a UUID that is always the same stands for it
        known = str(uuid.uuid5(uuid.NAMESPACE_URL, f"easyar:{target_id}"))
    mine = {"name": str(shown.get("name", "")), "size": str(shown.get("size", ""))}
    mine = {name: value for name, value in mine.items() if value}
    facts: dict[str, Any] = {**mine, "allowSimilar": str(shown.get("allowSimilar", "0")) == "1", "others": {}}
    return Found(
        id=target_id,
        name=str(shown.get("name", "")),
        identifier=known.replace("-", ""),
        uuid=known,
        metadata=str(shown.get("meta") or ""),
        active=str(shown.get("active", "1")) == "1",
        facts={FACTS: facts},
        stand_in=_decoded(shown.get("trackingImage")),
    )


def _decoded(text: object) -> bytes | None:
    try:
        return base64.b64decode(str(text or ""), validate=True) or None
    except ValueError:
        return None


def _asked(client: httpx.Client, keys: Mapping[str, str], path: str, **parameters: str) -> dict[str, Any]:
    def send() -> httpx.Response:
        given = {**parameters, "appId": keys["appId"], "apiKey": keys["apiKey"]}
        given["timestamp"] = str(int(time.time() * 1000))
        signed = "".join(name + given[name] for name in sorted(given)) + keys["apiSecret"]
        given["signature"] = hashlib.sha256(signed.encode()).hexdigest()
        return client.get(path, params=given)

    content = of_json(answered(send))
    result = content.get("result")
    if content.get("statusCode") != 0 or not isinstance(result, dict):
        raise SourceError(f"EasyAR answers {content.get('statusCode')!r} to {path}: {result}")
    return result
