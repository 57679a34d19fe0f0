"""What an identifier, a channel's name, metadata and a threshold may be."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.catalogue.rules import METADATA_BYTES, check_channel_name, check_identifier, check_values
from engine.errors import InvalidValue

SAME_EVERY_TIME = settings(deadline=None, derandomize=True)
IN_IDENTIFIERS = string.ascii_letters + string.digits + "@_."
FINE: dict[str, Any] = {"identifier": None, "metadata": "", "threshold": None}
NAMES = st.one_of(
    st.text(IN_IDENTIFIERS + "-", max_size=70),
    st.text(max_size=70),
    st.text(IN_IDENTIFIERS + "- /\n\u00e9\u0661", max_size=6),  # the last is a digit, though not of ASCII
)


def accepted(check: Callable[..., None], *given: Any, **named: Any) -> bool:
    try:
        check(*given, **named)
    except InvalidValue:
        return False
    return True


class TestNames:
    @SAME_EVERY_TIME
    @given(NAMES)
    @example("abc")
    @example("a" * 50)
    @example("abc\n")
    def test_identifiers(self, text: str) -> None:
        """3 to 50 of A-Z a-z 0-9 @ _ . and nothing else, at the end neither."""
        assert accepted(check_identifier, text) == (3 <= len(text) <= 50 and set(text) <= set(IN_IDENTIFIERS))
        assert accepted(check_values, **FINE | {"identifier": text}) == accepted(check_identifier, text)

    @SAME_EVERY_TIME
    @given(NAMES)
    @example("a")
    @example("a-" * 32)
    def test_channels(self, text: str) -> None:
        """1 to 64 of the same and a hyphen."""
        assert accepted(check_channel_name, text) == (1 <= len(text) <= 64 and set(text) <= set(IN_IDENTIFIERS + "-"))


class TestValues:
    def test_what_is_left_out(self) -> None:
        """Nothing given is nothing wrong."""
        check_values(**FINE)

    @SAME_EVERY_TIME
    @given(st.floats())
    @example(0.0)
    @example(100.0)
    def test_thresholds(self, threshold: float) -> None:
        """A number from 0 to 100, which infinities and NaN are not."""
        assert accepted(check_values, **FINE | {"threshold": threshold}) == (0 <= threshold <= 100)

    @pytest.mark.parametrize(("letter", "size"), [("a", 1), ("\u00e9", 2), ("\u2713", 3), ("\ud800", 3)])
    def test_metadata(self, letter: str, size: int) -> None:
        """At most two million bytes of UTF-8; half a surrogate pair counts like any letter of its size."""
        most = METADATA_BYTES // size
        assert accepted(check_values, **FINE | {"metadata": letter * most})
        assert not accepted(check_values, **FINE | {"metadata": letter * (most + 1)})

    @pytest.mark.parametrize("name", FINE)
    def test_says_which(self, name: str) -> None:
        """The error names the value and its rule."""
        bad = {"identifier": "a b", "metadata": "a" * (METADATA_BYTES + 1), "threshold": -1.0}
        with pytest.raises(InvalidValue, match=f"^{name}: ") as caught:
            check_values(**FINE | {name: bad[name]})
        assert caught.value.name == name
