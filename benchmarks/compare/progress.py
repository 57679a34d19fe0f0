"""What a long run tells of its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tell:
    """Progress, for whoever shows it. begin: title and number of steps; step: one of them is done."""

    begin: Callable[[str, int], None] = lambda title, steps: None  # noqa: ARG005
    step: Callable[[], None] = lambda: None
