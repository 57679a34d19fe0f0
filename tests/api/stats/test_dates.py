"""Dates of the wire: a year, a month or a day."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.stats import dates
from engine.errors import InvalidValue


class TestDates:
    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("2026", dt.date(2026, 1, 1), dt.date(2026, 12, 31)),
            ("202602", dt.date(2026, 2, 1), dt.date(2026, 2, 28)),
            ("202402", dt.date(2024, 2, 1), dt.date(2024, 2, 29)),
            ("20260704", dt.date(2026, 7, 4), dt.date(2026, 7, 4)),
        ],
    )
    def test_widths(self, text: str, first: dt.date, last: dt.date) -> None:
        assert (dates.first_day("startdate", text), dates.last_day("enddate", text)) == (first, last)

    @given(st.text(max_size=10))
    def test_any_text(self, text: str) -> None:
        """A date or our own error, nothing else; the first day never comes after the last."""
        try:
            first = dates.first_day("startdate", text)
        except InvalidValue:
            with pytest.raises(InvalidValue, match="startdate"):
                dates.last_day("startdate", text)
        else:
            assert first <= dates.last_day("startdate", text)

    @given(st.dates())
    def test_every_day(self, day: dt.date) -> None:
        text = f"{day.year:04}{day.month:02}{day.day:02}"
        assert dates.first_day("a", text) == dates.last_day("a", text) == day
        assert dates.first_day("a", text[:6]) <= day <= dates.last_day("a", text[:6])
        assert dates.first_day("a", text[:4]) <= day <= dates.last_day("a", text[:4])
