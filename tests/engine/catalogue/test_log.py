"""The log of changes."""

from __future__ import annotations

from engine.catalogue import Catalogue
from tests.support.made_catalogue import add


class TestLog:
    def test_after_and_limit(self, catalogue: Catalogue) -> None:
        """The log is read on from any place, in parts of any size."""
        for n in range(6):
            add(catalogue, f"p.{n}")
        assert [c.seq for c in catalogue.changes(after=2)] == [3, 4, 5, 6]
        assert [c.seq for c in catalogue.changes(after=2, limit=2)] == [3, 4]
        assert catalogue.changes(after=6) == []
