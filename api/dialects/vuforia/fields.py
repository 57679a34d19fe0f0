"""What the JSON of a target says, checked in the vendor's order: the first thing that is wrong is what is answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from api.dialects.vuforia import images
from api.dialects.vuforia.errors import MetadataTooLarge, NameOutOfRange
from api.edge.flat_json import Number, Value, read_object
from api.errors import MalformedBody
from api.settings import Settings
from engine.errors import InvalidValue

KNOWN = frozenset({"name", "width", "image", "active_flag", "application_metadata"})
METADATA_BYTES = 1024 * 1024 - 1
LONGEST_NAME = 64
Fields = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request says of a target; None: it says nothing, or null."""

    name: str | None = None
    """1 to 64 characters."""
    width: float | None = None
    """Above 0."""
    image: bytes | None = field(default=None, repr=False)
    active: bool | None = None
    metadata: bytes | None = field(default=None, repr=False)
    nulls: frozenset[str] = frozenset()
    """Fields that are null."""


def metadata_bytes(settings: Settings) -> int:
    """The most bytes of the metadata."""
    return min(METADATA_BYTES, settings.max_metadata_bytes)


def read_fields(body: bytes | bytearray) -> Fields:
    """Of a name that comes twice the last counts. Raises InvalidValue where the body is no JSON object."""
    if body.isspace():
        raise InvalidValue("body", "a JSON object is needed")
    try:
        return dict(read_object(body))
    except MalformedBody as error:
        raise InvalidValue("body", error.reason) from error


def wanted(
    settings: Settings, fields: Fields, *, needed: frozenset[str], adding: bool, check_free: Callable[[str], None]
) -> Wanted:
    """needed: fields that must be there; adding: the target is new; check_free: raises where another target has the
    name. Raises InvalidValue, NotBase64, MetadataTooLarge, UnfitImage, the ImageErrors, NameOutOfRange, and what
    `check_free` does."""
    _check_names(fields, needed)
    metadata = _metadata(settings, fields)
    active = _active(fields)
    image = _image(settings, fields)
    name = _name(fields)
    if name is not None:
        if adding and any(ord(letter) > 0xFFFF for letter in name):
            raise NameOutOfRange
        check_free(name)
    width = _width(fields)
    nulls = frozenset(name for name, value in fields.items() if value is None)
    return Wanted(name=name, width=width, image=image, active=active, metadata=metadata, nulls=nulls)


def _check_names(fields: Fields, needed: frozenset[str]) -> None:
    for name in sorted(needed - fields.keys()):
        raise InvalidValue(name, "it is needed")
    for name in sorted(fields.keys() - KNOWN):
        raise InvalidValue(name[:50], "no such field")


def _metadata(settings: Settings, fields: Fields) -> bytes | None:
    text = fields.get("application_metadata")
    if text is None:
        return None
    data = images.from_base64("application_metadata", _string("application_metadata", text))
    if len(data) > metadata_bytes(settings):
        raise MetadataTooLarge(metadata_bytes(settings))
    return data


def _active(fields: Fields) -> bool | None:
    value = fields.get("active_flag")
    if value is not None and not isinstance(value, bool):
        raise InvalidValue("active_flag", "true or false")
    return value


def _image(settings: Settings, fields: Fields) -> bytes | None:
    if "image" not in fields:
        return None
    image = images.from_base64("image", _string("image", fields["image"]))
    images.check_target(settings, image)
    return image


def _name(fields: Fields) -> str | None:
    if "name" not in fields:
        return None
    name = _string("name", fields["name"])
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidValue("name", f"1 to {LONGEST_NAME} characters")
    return name


def _width(fields: Fields) -> float | None:
    if "width" not in fields:
        return None
    value = fields["width"]
    width = float(value) if isinstance(value, Number) and len(value) <= 400 else 0.0
    if not (width > 0 and math.isfinite(width)):
        raise InvalidValue("width", "a number above 0")
    return width


def _string(name: str, value: Value) -> str:
    if type(value) is not str:
        raise InvalidValue(name, "a string")
    return value
