"""Bodies as `application/x-www-form-urlencoded`, read at the cost of their bytes: only the fields that are wanted are
decoded, and percent signs by array operations, because the standard library makes an object of each."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from api.errors import MalformedBody

MOST_FIELDS = 1_000
LONGEST_NAME = 3 * 64
"""Bytes of a name that is looked at, each percent-encoded; longer ones are nobody's."""
AT_ONCE = 65_536
"""Bytes that are decoded together: the arrays of their percent signs take twenty times as much."""
_PERCENT = ord("%")
_ESCAPE = re.compile(rb"%[0-9a-fA-F]{2}")
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[list(b"0123456789abcdef")] = range(16)
_DIGITS[list(b"ABCDEF")] = range(10, 16)


def read_fields(body: bytes | bytearray) -> Iterator[tuple[str, bytes]]:
    """Names and values, the values still encoded; the name of none of ours is "". Raises MalformedBody."""
    if body.count(b"&") >= MOST_FIELDS:
        raise MalformedBody(f"form: more than {MOST_FIELDS} fields")
    for pair in bytes(body).split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            yield unquoted(name).decode("utf-8", "replace") if len(name) <= LONGEST_NAME else "", value


def unquoted(value: bytes) -> bytes:
    """Plus signs as spaces, `%41` as the byte; a percent sign without two digits behind it stays what it is."""
    value = value.replace(b"+", b" ")
    if b"%" not in value:
        return value
    decoded, start = bytearray(), 0
    while start < len(value):
        end = start + AT_ONCE
        end -= next((back for back in (1, 2) if _ESCAPE.match(value, end - back)), 0)  # none is cut in two
        decoded += _unquoted(np.frombuffer(value[start:end], np.uint8))
        start = end
    return bytes(decoded)


def _unquoted(data: np.ndarray) -> bytes:
    at = np.flatnonzero(data[:-2] == _PERCENT)
    high, low = _DIGITS[data[at + 1]], _DIGITS[data[at + 2]]
    right = (high < 16) & (low < 16)
    at = at[right]
    decoded, kept = data.copy(), np.ones(len(data), bool)
    decoded[at] = high[right] * 16 + low[right]
    kept[at + 1] = kept[at + 2] = False
    return decoded[kept].tobytes()
