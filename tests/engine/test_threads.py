"""How many processors there are to use."""

from __future__ import annotations

import os

import pytest

from engine.threads import processors


class TestProcessors:
    def test_here(self) -> None:
        """Never more than the machine has, and at least one."""
        assert 1 <= processors() <= (os.cpu_count() or 1)

    def test_each_system_in_its_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Python 3.13's own count, before it what the process may run on, on macOS what the machine has."""
        monkeypatch.delattr(os, "process_cpu_count", raising=False)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {1, 5}, raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 8)
        assert processors() == 2
        monkeypatch.delattr(os, "sched_getaffinity")
        assert processors() == 8
        monkeypatch.setattr(os, "cpu_count", lambda: None)
        assert processors() == 1
        monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
        assert processors() == 3
