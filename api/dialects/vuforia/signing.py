"""Who asks: the header Authorization, and the date that the signature covers.

Signature: base64 of HMAC-SHA1 under the secret key over five lines: verb, MD5 of the body in hexadecimal, content type,
date, path. A client that was given a base URL with a path signs the path without it, so that both are right.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from api.dialects.vuforia.errors import AuthorizationMalformed, AuthorizationMissing, DateMalformed, DateSkewed

MANAGEMENT_DATES = ("%a, %d %b %Y %H:%M:%S GMT",)
_LAYOUTS = ("%a, %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S", "%a %d %b %Y %H:%M:%S")
QUERY_DATES = tuple(layout + zone for layout, zone in product(_LAYOUTS, ("", " GMT")))
MANAGEMENT_MINUTES, QUERY_MINUTES = 5, 65


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """The header's parts."""

    scheme: str
    access_key: str
    signature: str


def read_authorization(header: str | None) -> Authorization:
    """Raises AuthorizationMissing, AuthorizationMalformed."""
    if header is None:
        raise AuthorizationMissing
    words = header.split(" ")
    if len(words) != 2 or words[1].count(":") != 1:
        raise AuthorizationMalformed
    key, signature = words[1].split(":")
    if not signature:
        raise AuthorizationMalformed
    return Authorization(scheme=words[0], access_key=key, signature=signature)


def signature(secret: str, *, verb: str, body_md5: str, content_type: str, date: str, path: str) -> str:
    """What a client sends. body_md5: 32 lower-case hexadecimal digits."""
    signed = "\n".join((verb, body_md5, content_type, date, path))
    return base64.b64encode(hmac.digest(secret.encode(), signed.encode("latin-1", "replace"), "sha1")).decode()


def is_signed(
    given: Authorization,
    secret: str,
    *,
    verb: str,
    body: bytes | bytearray,
    content_types: Iterable[str],
    date: str,
    paths: Iterable[str],
) -> bool:
    """Whether the secret makes the signature with one of the content types and one of the paths."""
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    made = [
        signature(secret, verb=verb, body_md5=md5, content_type=kind, date=date, path=path)
        for kind, path in product(content_types, paths)
    ]
    fits = [hmac.compare_digest(given.signature.encode("latin-1", "replace"), one.encode()) for one in made]
    return given.scheme == "VWS" and any(fits)


def check_date(text: str, *, layouts: Iterable[str], minutes: int) -> None:
    """Raises DateMalformed, DateSkewed."""
    moment = next(filter(None, (_moment(text, layout) for layout in layouts)), None)
    if moment is None:
        raise DateMalformed
    if abs(dt.datetime.now(dt.UTC) - moment) >= dt.timedelta(minutes=minutes):
        raise DateSkewed(minutes)


def _moment(text: str, layout: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, layout).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
