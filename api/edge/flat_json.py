"""JSON bodies: one flat object, read at the cost of its bytes whatever it holds.

Both contracts know flat objects alone. So nested values are passed over unread, names are counted before anything is
decoded, and numbers keep the text in which they were written, which some clients sign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.errors import MalformedBody

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_NAMES = 1_000
"""Names in one object; the contracts know about thirty."""


class Number(str):
    """A number as it was written."""


@dataclass(frozen=True)
class Nested:
    """A list or an object as it was written; no field of a contract is one."""

    text: bytes = field(repr=False)


Value = str | bool | Nested | None
"""A string, a Number, true or false, a Nested, null."""


class _Name(str):
    """Equals itself alone, so that a dict keeps both of two that are spelt alike."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _as_name(_: type, text: Any) -> _Name:
    return _Name(text)


_object = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=_as_name)
_text = msgspec.json.Decoder(str)


def read_object(body: bytes | bytearray) -> list[tuple[str, Value]]:
    """Names and values in the order in which they were sent, a name that comes twice as two; nothing for an empty body.

    Raises MalformedBody. Of a hostile body no more is built than its bytes and MOST_NAMES small objects.
    """
    if body.startswith(_BYTE_ORDER_MARK):  # as some editors and clients on Windows begin a text
        body = body[len(_BYTE_ORDER_MARK) :]
    if not body or body.isspace():
        return []
    # Behind a backslash no string begins, and inside one each quote has a backslash before it: what is counted here is
    # at least the number of strings, whatever stands in them.
    if body.count(b'"') - body.count(b'\\"') > 4 * MOST_NAMES:
        raise MalformedBody(f"JSON: more than {MOST_NAMES} names")
    try:
        found = _object.decode(body)
        if len(found) > MOST_NAMES:
            raise MalformedBody(f"JSON: more than {MOST_NAMES} names")
        return [(str(name), _value(memoryview(raw))) for name, raw in found.items()]
    except msgspec.ValidationError as error:
        raise MalformedBody("JSON: one object is needed") from error
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedBody("JSON: it cannot be decoded") from error


def _value(raw: memoryview) -> Value:
    first = chr(raw[0])
    if first == '"':
        return _text.decode(raw)
    if first in "[{":
        return Nested(bytes(raw))
    if first in "tf":
        return first == "t"
    return None if first == "n" else Number(str(raw, "ascii"))
