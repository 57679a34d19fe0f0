"""JSON bodies: what is taken of them, and what is refused before it costs anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.edge.flat_json import MOST_NAMES, Nested, Number, read_object
from api.errors import MalformedBody

SCALARS = st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()


class TestValues:
    def test_each_kind(self) -> None:
        body = b' {"a" : "\\u00e9\\/", "b":-1.50, "c":[1, 2], "d":{"x":{}}, "e":true, "f":false, "g":null}\n'
        found = read_object(body)
        assert found == [
            ("a", "é/"),
            ("b", "-1.50"),
            ("c", Nested(b"[1, 2]")),
            ("d", Nested(b'{"x":{}}')),
            ("e", True),
            ("f", False),
            ("g", None),
        ]
        assert type(found[0][1]) is str
        assert type(found[1][1]) is Number

    def test_behind_a_byte_order_mark(self) -> None:
        """Some editors and clients write one; only the first counts."""
        for kind in (bytes, bytearray):
            assert read_object(kind(b'\xef\xbb\xbf{"a":"1"}')) == [("a", "1")]
        with pytest.raises(MalformedBody):
            read_object(b'\xef\xbb\xbf\xef\xbb\xbf{"a":"1"}')

    @pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf"])
    def test_nothing(self, body: bytes) -> None:
        assert read_object(body) == []

    def test_a_name_twice(self) -> None:
        """Both come out, in their order: which of them counts is the dialect's affair."""
        assert read_object(b'{"a":"1","b":"2","a":"3"}') == [("a", "1"), ("b", "2"), ("a", "3")]

    @given(st.dictionaries(st.text(), SCALARS, max_size=20))
    def test_any_flat_object(self, sent: dict[str, object]) -> None:
        found = dict(read_object(json.dumps(sent).encode()))
        assert list(found) == list(sent)
        for name, value in sent.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            assert found[name] == (json.dumps(value) if is_number else value)


class TestRefusals:
    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            b"1",
            b'"x"',
            b"null",
            b"{",
            b'{"a":1}{}',
            b'{"a":NaN}',
            b'{"a":01}',
            b'{"a":"\\ud800"}',
            b'{"a":"\xff"}',
            b'{"\xff":1}',
            b'{"a":"\n"}',
            b"[" * 100_000,
            b'{"a":' + b"[" * 100_000,
            b'{"a":' * 100_000,
        ],
    )
    def test_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedBody, match="JSON"):
            read_object(body)

    def test_names_are_counted(self) -> None:
        """Whatever they look like; what stands in a string is no name."""
        many = {f"n{number}": "v" for number in range(MOST_NAMES)}
        assert len(read_object(json.dumps(many).encode())) == MOST_NAMES
        for value in ('"v"', "1", "[]"):
            body = "{" + ",".join(f'"n{number}":{value}' for number in range(MOST_NAMES + 1)) + "}"
            with pytest.raises(MalformedBody, match="more than 1000 names"):
                read_object(body.encode())
        text = json.dumps(many) * 100
        assert read_object(json.dumps({"meta": text}).encode()) == [("meta", text)]

    def test_names_that_end_in_a_backslash(self) -> None:
        r"""The quote behind `\\` ends the string: it must not hide names from the count."""
        body = b"{" + b",".join(b'"%d\\\\":1' % number for number in range(5 * MOST_NAMES)) + b"}"
        with pytest.raises(MalformedBody, match="more than 1000 names"):
            read_object(body)
