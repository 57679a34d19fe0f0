"""Who asks, and what of the request is theirs: the three vintages of signature.

apiKey style: appId, apiKey, timestamp, SHA-256 with the apiSecret. appKey style (SDK 3): appKey, timestamp,
SHA-256. Legacy (PHP): appKey, date, SHA-1 over the string-valued parameters alone. The appKey of old clients is
today's appId; an apiKey in its place will do. A signature may come again within its five minutes: SDKs retry.

What was not signed does not count: whoever saw a request could add it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from typing import Any

from api.accounts.apps import App, Apps
from api.dialects.easyar.errors import UnknownApp, WrongAppId, WrongSignature, WrongTimestamp
from api.dialects.easyar.parameters import SIGNING, Parameters
from api.edge.flat_json import Nested, Number
from engine.errors import InvalidValue

WINDOW_MINUTES = 5
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MILLISECONDS = re.compile(r"[0-9]{1,15}")
_READ = frozenset({"image", "name", "size", "type", "meta", "active", "allowSimilar", "notracking", "targetId"})
"""Parameters that operations read from JSON."""


def named_app(apps: Apps, parameters: Parameters) -> App:
    """The app that the parameters name. Raises WrongAppId, UnknownApp."""
    name = _text(parameters, "appId") or _text(parameters, "appKey")
    if not _KEY.fullmatch(name):
        raise WrongAppId
    app = apps.by_app_id(name)
    if app is None and not _text(parameters, "appId"):
        app = apps.by_api_key(name)
    if app is None:
        raise UnknownApp
    return app


def signing_app(apps: Apps, parameters: Parameters, *, unsigned_image: bool = False) -> tuple[App, Parameters]:
    """The app that made the signature, and what it signed. unsigned_image: it need not be signed.

    Raises WrongAppId, UnknownApp, WrongTimestamp, WrongSignature; InvalidValue for a parameter that counts and is not
    among what this vintage signs.
    """
    app = named_app(apps, parameters)
    legacy = "date" in parameters.values and "timestamp" not in parameters.values
    moment = _date(_text(parameters, "date")) if legacy else milliseconds(_text(parameters, "timestamp"))
    if not is_fresh(moment):
        raise WrongTimestamp(WINDOW_MINUTES)
    if "appId" in parameters.values and not hmac.compare_digest(
        _text(parameters, "apiKey").encode(), app.api_key.encode()
    ):
        raise WrongSignature
    signed = _signed(parameters, app.api_secret, legacy=legacy, unsigned_image=unsigned_image)
    if signed is None:
        raise WrongSignature
    return app, signed


def is_signed(parameters: Parameters, secret: str) -> bool:
    """Whether the secret makes the signature of today's style."""
    return _signed(parameters, secret) is not None


def _signed(
    parameters: Parameters, secret: str, *, legacy: bool = False, unsigned_image: bool = False
) -> Parameters | None:
    """Those parameters that the signature covers, and itself; None where the secret does not make it."""
    given = _text(parameters, "signature").lower()
    values = {name: value for name, value in parameters.values.items() if name != "signature"}
    if legacy:
        values = {name: value for name, value in values.items() if type(value) is str}
    ways = [(values, parameters.nulls)] if parameters.nulls and not legacy else []
    ways.append((values, frozenset()))
    if unsigned_image and "image" in values:
        ways.append(({name: value for name, value in values.items() if name != "image"}, frozenset()))
    for signed, nulls in ways:
        if hmac.compare_digest(given.encode(), _signature(signed, nulls, secret, legacy=legacy).encode()):
            if legacy:
                _refuse_unsigned(parameters)
                return dataclasses.replace(parameters, values=values, nulls=frozenset())
            return dataclasses.replace(parameters, nulls=nulls)
    return None


def _signature(values: Mapping[str, Any], nulls: frozenset[str], secret: str, *, legacy: bool) -> str:
    """Piece by piece: an image joined to the rest would be there three times."""
    made = hashlib.sha1() if legacy else hashlib.sha256()
    for name, value in sorted([*values.items(), *((name, None) for name in nulls)], key=lambda item: item[0]):
        made.update(name.encode())
        made.update(_plain(value))
    made.update(secret.encode())
    return made.hexdigest()


def _plain(value: object) -> bytes:
    """A value as clients turn it into text; nested JSON, which none of them signs, as it was written."""
    if isinstance(value, Nested):
        return value.text
    if value is None:
        return b"null"
    return str(value).encode() if isinstance(value, str) else str(value).lower().encode()


def _refuse_unsigned(parameters: Parameters) -> None:
    """The oldest vintage signs strings alone. Raises InvalidValue for another value of a parameter that is read; others
    of them are let through, and mean nothing."""
    for name, value in parameters.values.items():
        if type(value) is not str and name in _READ and name not in SIGNING:
            raise InvalidValue(name, "a string: a request with `date` signs nothing else")


def is_fresh(moment: float | None) -> bool:
    """moment: seconds since 1970, or None where it could not be read."""
    return moment is not None and abs(time.time() - moment) <= 60 * WINDOW_MINUTES


def milliseconds(text: str) -> float | None:
    """Seconds since 1970."""
    return int(text) / 1000 if _MILLISECONDS.fullmatch(text) else None


def _date(text: str) -> float | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()


def _text(parameters: Parameters, name: str) -> str:
    """A string or number; nothing where it is absent or something else."""
    value = parameters.values.get(name)
    return str(value) if isinstance(value, str | Number) else ""
