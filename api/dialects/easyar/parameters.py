"""A request's parameters, from query, JSON or multipart, in the form in which they are signed.

Numbers keep the text in which they were sent, because that text was signed; a key that comes twice counts once.
"""

from __future__ import annotations

import base64
import binascii
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from litestar.types import Receive

from api.dialects.easyar.errors import WrongContentType
from api.edge.body import SMALL_FIELD_BYTES, BodyReader, FormRules
from api.errors import BodyTooLarge, MalformedBody
from api.service import Service
from engine.errors import InvalidValue, NotAnImage

SIGNING = frozenset({"appId", "apiKey", "appKey", "timestamp", "date", "signature"})
"""Parameters that tell who asks; they are no fields of a target."""


class Number(str):
    """A JSON number as it was written."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a request sends, however it sends it."""

    values: Mapping[str, Any] = field(repr=False)
    """str, Number, bool, or nested JSON, by name."""
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
        return value


def max_image_bytes(service: Service) -> int:
    return min(service.settings.easyar_max_image_bytes, service.settings.max_image_bytes)


def from_query(query: bytes) -> Parameters:
    """Raises MalformedBody for more than a thousand parameters."""
    try:
        pairs = urllib.parse.parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=1_000)
    except ValueError as error:
        raise MalformedBody("more than 1000 parameters in the query") from error
    return Parameters(values=dict(pairs))


async def read_json(service: Service, reader: BodyReader, receive: Receive, content_type: str) -> bytes:
    """The body of a JSON request, not yet decoded. Raises WrongContentType, BodyTooLarge, MalformedBody, Busy."""
    # Base64 may come with each "/" escaped as "\/", other text with each byte as "\u0000".
    limit = 3 * max_image_bytes(service) + 6 * service.settings.max_metadata_bytes
    body = await reader.read_whole(receive, limit=limit)
    if content_type.partition(";")[0].strip().lower() not in ("application/json", "text/json", ""):
        raise WrongContentType("application/json")
    return body


def from_json(body: bytes) -> Parameters:
    """Null counts as absent. Raises MalformedBody."""
    try:
        found = json.loads(body or b"{}", parse_int=Number, parse_float=Number, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise MalformedBody("JSON: it cannot be decoded") from error
    if not isinstance(found, dict):
        raise MalformedBody("JSON: one object is needed")
    return Parameters(values={name: value for name, value in found.items() if value is not None})


def _refuse(name: str) -> None:
    raise ValueError(name)


async def from_multipart(reader: BodyReader, receive: Receive, content_type: str) -> Parameters:
    """Raises WrongContentType, BodyTooLarge, MalformedBody, Busy."""
    try:
        form = await reader.read(receive, content_type)
    except MalformedBody as error:
        if not content_type.lower().startswith("multipart/form-data"):
            raise WrongContentType("multipart/form-data") from error
        raise
    if form.file_too_large:
        raise BodyTooLarge("image", reader.rules.max_file_bytes)
    return Parameters(values=form.values, image=form.file)


def rules(service: Service) -> FormRules:
    """All text parts are kept, because all are signed."""
    settings = service.settings
    return FormRules(
        fields={},
        other_fields=SMALL_FIELD_BYTES,
        file="image",
        max_file_bytes=max_image_bytes(service),
        max_body_bytes=settings.max_image_bytes + settings.max_drain_bytes,
        timeout_seconds=settings.body_timeout_seconds,
        retry_after_seconds=settings.retry_after_seconds,
    )


def image_of(service: Service, parameters: Parameters) -> bytes | None:
    """The image's bytes, None where there is none. Raises BodyTooLarge, InvalidValue, NotAnImage."""
    if parameters.image is not None:
        return parameters.image
    text = parameters.text("image")
    if text is None:
        return None
    limit = max_image_bytes(service)
    try:
        image = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotAnImage from error
    if len(image) > limit:
        raise BodyTooLarge("image", limit)
    return image


def needed_image(service: Service, parameters: Parameters) -> bytes:
    """Raises InvalidValue where there is none, and what `image_of` does."""
    image = image_of(service, parameters)
    if image is None:
        raise InvalidValue("image", "a JPEG or PNG is needed")
    return image
