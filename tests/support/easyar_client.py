"""EasyAR clients as their recorded traffic describes them: each signs and spells its requests in its own way."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from api.accounts.apps import Apps
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from api.dialects.easyar.targets import RATES
from engine.catalogue import Catalogue
from tests.support.drawn_pictures import picture
from tests.support.running_server import Caller

LARGEST_IMAGE = 2 * 1024 * 1024
UNKNOWN = str(uuid.UUID(int=0))
"""A targetId that no target has."""
LISTED = {"targetId", "name", "size", "meta", "type", "appKey", "active", "modified"}
"""Fields of a target in a list."""
FULL = LISTED | {"allowSimilar", "date", "grade", "trackingImage", *RATES}
"""Fields of a target that is shown."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What `obverse app add` prints."""

    appId: str  # noqa: N815  # the wire's names
    apiKey: str  # noqa: N815
    apiSecret: str = field(repr=False)  # noqa: N815
    channel: str


def make_app(folder: Path, channel: str, owner: Caller, *, quota: int | None = None) -> Keys:
    """A new channel of the owner's, with an app."""
    catalogue = Catalogue(folder)
    try:
        Accounts(catalogue.database)
        apps = Apps(catalogue.database, Vault(folder))
        app = apps.add(catalogue.add_channel(channel, owner=owner.id, quota=quota))
        return Keys(appId=app.app_id, apiKey=app.api_key, apiSecret=app.api_secret, channel=channel)
    finally:
        catalogue.close()


def now() -> int:
    return int(time.time() * 1000)


def b64(image: bytes) -> str:
    return base64.b64encode(image).decode()


TARGET: dict[str, Any] = {"image": b64(picture(20)), "name": "new", "size": "20", "type": "ImageTarget"}
"""What createTarget needs."""


def text_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def signature(fields: dict[str, Any], secret: str, *, without: tuple[str, ...] = ()) -> str:
    """SHA-256 over sorted names and values and the secret."""
    chosen = sorted((name, value) for name, value in fields.items() if name not in without)
    signed = "".join(name + text_of(value) for name, value in chosen)
    return hashlib.sha256((signed + secret).encode()).hexdigest()


def signed(keys: Keys, fields: dict[str, Any], *, without: tuple[str, ...] = (), **auth: Any) -> dict[str, Any]:
    """The fields with those of authentication; auth: replaces them, None leaves one out."""
    given = {"timestamp": now(), "appId": keys.appId, "apiKey": keys.apiKey, **auth}
    content = {**fields, **{name: value for name, value in given.items() if value is not None}}
    if "signature" in content:
        return content
    return {**content, "signature": signature(content, keys.apiSecret, without=without)}


def signed_legacy(keys: Keys, fields: dict[str, Any], **auth: Any) -> dict[str, Any]:
    """SHA-1 with `date`, over the string-valued fields alone."""
    date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    content = {**fields, "appKey": keys.appId, "date": date, **auth}
    text = "".join(name + value for name, value in sorted(content.items()) if isinstance(value, str))
    return {**content, "signature": hashlib.sha1((text + keys.apiSecret).encode()).hexdigest()}


@dataclass(frozen=True, kw_only=True)
class EasyAR:
    """Calls with the current signature; `token` uses that instead of it."""

    client: httpx.Client = field(repr=False)
    keys: Keys
    token: str | None = None

    def send(self, verb: str, path: str, fields: dict[str, Any] | None = None, **auth: Any) -> httpx.Response:
        """Fields in the query for GET and DELETE of one target, else as JSON."""
        headers = {}
        if self.token is None:
            content = signed(self.keys, fields or {}, **auth)
        else:
            headers["Authorization"] = self.token
            content = {**(fields or {}), "appId": self.keys.appId, **auth}
        if verb == "GET" or (verb == "DELETE" and not fields):
            return self.client.request(verb, path, params=content, headers=headers)
        return self.client.request(verb, path, json=content, headers=headers)

    def call(self, verb: str, path: str, fields: dict[str, Any] | None = None, **auth: Any) -> Any:
        """The result of a call that must succeed."""
        return succeeded(self.send(verb, path, fields, **auth))

    def add(self, image: bytes, **fields: Any) -> dict[str, Any]:
        """A new target."""
        given = {"image": b64(image), "name": "drawn", "size": "20", "type": "ImageTarget", **fields}
        return self.call("POST", "/targets", given)

    def make_token(self, *, expires: int = 3600, **changes: Any) -> httpx.Response:
        acl = [acl_rule(self.keys)] if "acl" not in changes else changes.pop("acl")
        text = acl if isinstance(acl, str) else json.dumps(acl)
        fields = {"apiKey": self.keys.apiKey, "expires": expires, "acl": text, "timestamp": now(), **changes}
        if "signature" not in fields:
            fields["signature"] = signature(fields, self.keys.apiSecret)
        return self.client.post("/token/v2", json=fields)

    def with_token(self, *permissions: str, expires: int = 3600) -> EasyAR:
        """The same app, let in by a token with these permissions."""
        acl = [acl_rule(self.keys, permission=list(permissions))]
        return EasyAR(client=self.client, keys=self.keys, token=token_of(self.make_token(acl=acl, expires=expires)))


def acl_rule(keys: Keys, **changes: Any) -> dict[str, Any]:
    rule = {"service": "ecs:crs", "resource": [keys.appId], "effect": "Allow", "permission": ["READ", "WRITE"]}
    return {**rule, **changes}


def token_of(response: httpx.Response) -> str:
    return response.json()["result"]["token"]


def succeeded(response: httpx.Response) -> Any:
    answer = response.json()
    assert (response.status_code, answer["statusCode"]) == (200, 0), answer
    assert {"result", "timestamp"} <= set(answer)
    assert abs(answer["timestamp"] - now()) < 60_000
    return answer["result"]


def refused(response: httpx.Response, code: int, http: int = 200) -> dict[str, Any]:
    """The whole answer of an error, in the form that belongs to its code."""
    answer = response.json()
    assert (response.status_code, answer["statusCode"]) == (http, code), answer
    if code > 4_001_000:
        assert set(answer) == {"statusCode", "msg", "result", "timestamp"}
        assert answer["result"] is None
        assert answer["msg"]
    else:
        assert {"statusCode", "result", "timestamp"} <= set(answer) <= {"statusCode", "result", "timestamp", "date"}
        assert set(answer["result"]) == {"message"}
        assert answer["result"]["message"]
    return answer


def query(pairs: list[tuple[str, Any]]) -> str:
    """A query string that keeps order and repetitions."""
    return urllib.parse.urlencode([(name, text_of(value)) for name, value in pairs])


def listed_id(app: EasyAR, name: str) -> str:
    """The targetId of the target that is called so."""
    found = app.call("GET", "/targets/infos", {"pageSize": 100})["targets"]
    return next(target["targetId"] for target in found if target["name"] == name)


def names(results: list[dict[str, Any]]) -> list[str]:
    return [target["name"] for target in results]
