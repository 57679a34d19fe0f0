"""Who asks: the three vintages of signature.

apiKey style: appId, apiKey, timestamp, SHA-256 with the apiSecret. appKey style (SDK 3): appKey, timestamp,
SHA-256. Legacy (PHP): appKey, date, SHA-1 over the string-valued parameters alone. The appKey of old clients is
today's appId; an apiKey in its place will do. A signature may come again within its five minutes: SDKs retry.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from api.accounts.apps import App, Apps
from api.dialects.easyar.errors import UnknownApp, WrongAppId, WrongSignature, WrongTimestamp
from api.dialects.easyar.parameters import Number, Parameters

WINDOW_MINUTES = 5
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MILLISECONDS = re.compile(r"[0-9]{1,15}")


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


def signing_app(apps: Apps, parameters: Parameters) -> App:
    """The app that made the signature. Raises WrongAppId, UnknownApp, WrongTimestamp, WrongSignature."""
    app = named_app(apps, parameters)
    legacy = "date" in parameters.values and "timestamp" not in parameters.values
    moment = _date(_text(parameters, "date")) if legacy else milliseconds(_text(parameters, "timestamp"))
    if not is_fresh(moment):
        raise WrongTimestamp(WINDOW_MINUTES)
    if "appId" in parameters.values and not hmac.compare_digest(
        _text(parameters, "apiKey").encode(), app.api_key.encode()
    ):
        raise WrongSignature
    if not is_signed(parameters, app.api_secret, legacy=legacy):
        raise WrongSignature
    return app


def is_signed(parameters: Parameters, secret: str, *, legacy: bool = False) -> bool:
    """Whether the secret makes the signature. The image may be among what was signed, as with the SDKs, or not, as on
    a page of the documents."""
    given = _text(parameters, "signature").lower()
    values = {name: value for name, value in parameters.values.items() if name != "signature"}
    if legacy:
        values = {name: value for name, value in values.items() if type(value) is str}
    if _fits(given, values, secret, legacy=legacy):
        return True
    return values.pop("image", None) is not None and _fits(given, values, secret, legacy=legacy)


def _fits(given: str, values: Mapping[str, Any], secret: str, *, legacy: bool) -> bool:
    signed = "".join(name + _plain(value) for name, value in sorted(values.items())) + secret
    make = hashlib.sha1 if legacy else hashlib.sha256
    return hmac.compare_digest(given.encode(), make(signed.encode()).hexdigest().encode())


def _plain(value: object) -> str:
    """A value as clients turn it into text; nested JSON, which none of them signs, as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
