"""A request's parameters, from query, JSON or multipart, in the form in which they are signed.

Numbers keep the text in which they were sent, because that text was signed. Of a key that comes twice in a query the
last counts; in JSON two different values are refused, in multipart any second value.
"""

from __future__ import annotations

import binascii
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from litestar.types import Receive

from api.dialects.easyar.errors import NotBase64, WrongContentType
from api.edge.body import ESCAPED, OTHER_FIELDS_BYTES, SMALL_FIELD_BYTES, BodyReader, FormRules
from api.edge.flat_json import read_object
from api.errors import BodyTooLarge, MalformedBody
from api.settings import Settings
from engine.errors import InvalidValue

SIGNING = frozenset({"appId", "apiKey", "appKey", "timestamp", "date", "signature"})
"""Parameters that tell who asks; they are no fields of a target."""
_DATA_URI = re.compile(r"data:[a-zA-Z0-9/+.;=-]{0,100};base64,")
_WHITE_SPACE = b" \t\r\n\v\f"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a request sends, however it sends it."""

    values: Mapping[str, Any] = field(repr=False)
    """str, Number, bool or Nested, by name."""
    nulls: frozenset[str] = frozenset()
    """Names of JSON that are null; absent for all but an own field, which an update takes away."""
    image: bytes | None = field(default=None, repr=False)
    """The file of a multipart body."""

    def text(self, name: str) -> str | None:
        """A string or a number as text; None where it is absent or empty. Raises InvalidValue for other JSON."""
        return self.given(name) or None

    def given(self, name: str) -> str | None:
        """The same, with "" where it is empty."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidValue(name, "a string")
        return None if value is None else str(value)  # a Number is no text to who stores it


def max_image_bytes(settings: Settings) -> int:
    return min(settings.easyar_max_image_bytes, settings.max_image_bytes)


def from_query(query: bytes) -> Parameters:
    """Raises MalformedBody for more than a thousand parameters."""
    try:
        pairs = urllib.parse.parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=1_000)
    except ValueError as error:
        raise MalformedBody("more than 1000 parameters in the query") from error
    return Parameters(values=dict(pairs))


def json_limit(settings: Settings, *, image: bool = False, meta: bool = False) -> int:
    """Bytes of a JSON body of an operation that takes an image, or `meta` and fields of the client's own."""
    limit = OTHER_FIELDS_BYTES
    if image:
        limit += 3 * max_image_bytes(settings)  # base64 is 4/3, twice that with each "/" escaped, and line breaks
    if meta:
        limit += ESCAPED * settings.max_metadata_bytes
    return limit


async def read_json(
    reader: BodyReader, receive: Receive, content_type: str, *, limit: int, length: int | None
) -> bytearray:
    """The body of a JSON request, not yet decoded. Raises WrongContentType, BodyTooLarge, MalformedBody, Busy."""
    body = await reader.read_whole(receive, limit=limit, length=length)
    if content_type.partition(";")[0].strip().lower() not in ("application/json", "text/json", ""):
        raise WrongContentType("application/json")
    return body


def from_json(body: bytes | bytearray) -> Parameters:
    """Raises MalformedBody, also for a name that comes twice with different values: which of them was meant?"""
    found: dict[str, Any] = {}
    for name, value in read_object(body):
        if name in found and (type(value), value) != (type(found[name]), found[name]):
            raise MalformedBody("JSON: a name comes twice, with different values")
        found[name] = value
    nulls = frozenset(name for name, value in found.items() if value is None)
    return Parameters(values={name: value for name, value in found.items() if name not in nulls}, nulls=nulls)


async def from_multipart(reader: BodyReader, receive: Receive, content_type: str, *, length: int | None) -> Parameters:
    """Raises WrongContentType, BodyTooLarge, MalformedBody, Busy."""
    try:
        form = await reader.read(receive, content_type, length=length)
    except MalformedBody as error:
        if not content_type.lower().startswith("multipart/form-data"):
            raise WrongContentType("multipart/form-data") from error
        raise
    if form.files_too_large:
        raise BodyTooLarge("image", reader.rules.max_file_bytes)
    return Parameters(values=form.values, image=form.files.get("image"))


def rules(settings: Settings) -> FormRules:
    """All text parts are kept, because all are signed."""
    return FormRules(
        fields={},
        other_fields=SMALL_FIELD_BYTES,
        files=("image",),
        max_file_bytes=max_image_bytes(settings),
        max_whole_bytes=json_limit(settings, image=True, meta=True),
        max_drain_bytes=settings.max_drain_bytes,
        timeout_seconds=settings.body_timeout_seconds,
        stall_seconds=settings.body_stall_seconds,
        retry_after_seconds=settings.retry_after_seconds,
    )


def image_of(settings: Settings, parameters: Parameters) -> bytes | None:
    """The image's bytes, None where there is none: work for a thread. Raises BodyTooLarge, InvalidValue, NotBase64."""
    if parameters.image is not None:
        return parameters.image
    text = parameters.text("image")
    if text is None:
        return None
    limit = max_image_bytes(settings)
    image = from_base64(text)
    if len(image) > limit:
        raise BodyTooLarge("image", limit)
    return image


def from_base64(text: str) -> bytes:
    """Line breaks and other white space count for nothing, nor does the head of a data URI. Raises NotBase64."""
    start = _DATA_URI.match(text)
    try:
        written = text[start.end() if start else 0 :].encode("ascii").translate(None, _WHITE_SPACE)
        return binascii.a2b_base64(written, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise NotBase64 from error


def needed_image(settings: Settings, parameters: Parameters) -> bytes:
    """Raises InvalidValue where there is none, and what `image_of` does."""
    image = image_of(settings, parameters)
    if image is None:
        raise InvalidValue("image", "a JPEG or PNG is needed")
    return image
