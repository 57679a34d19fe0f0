"""How long the stages of one recognition take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Milliseconds by stage; a stage that runs twice adds up."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = 1e3 * (time.perf_counter() - started)
            self.milliseconds[name] = round(self.milliseconds.get(name, 0.0) + spent, 3)
