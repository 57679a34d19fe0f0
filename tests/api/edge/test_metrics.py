"""What the metrics sum up themselves."""

from __future__ import annotations

import time

import pytest

from api.edge.metrics import LastMinute


class TestLastMinute:
    def test_forgets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Photos of the last 60 seconds, and none before."""
        now = [1000.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        counted = LastMinute()
        assert counted.a_second() == 0
        for _ in range(30):
            counted.count()
        assert counted.a_second() == 0.5
        now[0] += 59
        counted.count()
        assert counted.a_second() == pytest.approx(31 / 60)
        now[0] += 1
        assert counted.a_second() == pytest.approx(1 / 60)
        now[0] += 600
        assert counted.a_second() == 0
