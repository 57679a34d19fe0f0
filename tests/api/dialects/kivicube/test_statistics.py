"""What docs/kivicube-ambiguities.md decides about Statistics."""

from __future__ import annotations

import pytest

from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server

DAYS = {"startdate": "2020", "enddate": "2100"}


class TestStatisticsRules:
    """K16, K17, K18"""

    @pytest.mark.parametrize(
        ("start", "end"), [("2020", "2100"), ("202001", "2100"), ("20200131", "210012"), ("2020", "21000228")]
    )
    def test_widths_mix(self, server: Server, alice: Caller, start: str, end: str) -> None:
        assert server.code("Statistics", alice, startdate=start, enddate=end) == 0

    @pytest.mark.parametrize(
        "date", ["", "26", "202613", "20260230", "2026-01", "20261", "x", "\uff12\uff10\uff12\uff16", "0000"]
    )
    def test_unparsable(self, server: Server, alice: Caller, date: str) -> None:
        answer = server.call("Statistics", alice, startdate=date, enddate="2026")
        assert answer["returncode"] == 20010
        assert "startdate" in answer["message"]

    def test_start_after_end(self, server: Server, alice: Caller) -> None:
        assert server.call("Statistics", alice, startdate="2100", enddate="2020")["records"] == []

    def test_identifier_filters(self, server: Server, alice: Caller, channel: str) -> None:
        """With a channel: that picture's days; without: over all channels, told by channel. Removed pictures
        keep their counts."""
        server.call("AddImage", alice, picture(23), channel=channel, identifier="filter.me")
        assert server.call("FindImage", alice, photo_of(23), channel=channel)["identifier"] == "filter.me"
        for _ in range(2):
            inside = server.call("Statistics", alice, channel=channel, identifier="filter.me", **DAYS)
            assert [(r["identifier"], r["count"]) for r in inside["records"]] == [("filter.me", 1)]
            over_all = server.call("Statistics", alice, identifier="filter.me", **DAYS)
            assert [(r["channel"], r["count"]) for r in over_all["records"]] == [(channel, 1)]
            server.call("RemoveImage", alice, channel=channel, identifier="filter.me")

    def test_never_counted(self, server: Server, alice: Caller, channel: str) -> None:
        """A picture that exists and was never matched has no records; one that never existed is 20014."""
        server.call("AddImage", alice, picture(24), channel=channel, identifier="quiet")
        assert server.call("Statistics", alice, channel=channel, identifier="quiet", **DAYS)["records"] == []
        assert server.code("Statistics", alice, channel=channel, identifier="never.was", **DAYS) == 20014
        assert server.code("Statistics", alice, identifier="never.was", **DAYS) == 20014
        assert server.code("Statistics", alice, identifier="a/b", **DAYS) == 20014
