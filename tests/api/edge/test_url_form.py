"""Forms with percent signs: as the standard library reads them, at the cost of their bytes."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.edge.url_form import AT_ONCE, LONGEST_NAME, MOST_FIELDS, read_fields, unquoted
from api.errors import MalformedBody


@given(
    st.lists(st.sampled_from([b"%", b"4", b"1", b"f", b"F", b"g", b"+", b"&", b"\xff", b"%41", b"%e9"])),
    st.integers(min_value=0, max_value=4),
)
def test_as_the_standard_library(pieces: list[bytes], before: int) -> None:
    """Also where what is decoded at once ends among them."""
    value = b"".join(pieces)
    assert unquoted(value) == urllib.parse.unquote_to_bytes(value.replace(b"+", b" "))
    value = b"a" * (AT_ONCE - before) + value
    assert unquoted(value) == urllib.parse.unquote_to_bytes(value.replace(b"+", b" "))


def test_fields() -> None:
    """Values as they were sent: only those that are wanted are decoded."""
    assert list(read_fields(b"a=1&&b=%41=c&d&=x&%61%2b=2")) == [
        ("a", b"1"),
        ("b", b"%41=c"),
        ("d", b""),
        ("", b"x"),
        ("a+", b"2"),
    ]


def test_long_names_are_nobodys() -> None:
    longest = "%61" * (LONGEST_NAME // 3)
    assert [name for name, _ in read_fields(f"{longest}=1&{longest}%61=2".encode())] == ["a" * 64, ""]


def test_too_many() -> None:
    assert len(list(read_fields(b"&".join([b"a=1"] * MOST_FIELDS)))) == MOST_FIELDS
    with pytest.raises(MalformedBody, match="more than 1000 fields"):
        list(read_fields(b"&".join([b"a=1"] * (MOST_FIELDS + 1))))
