"""How a long run tells of its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tell:
    """Progress, for whoever shows it; by default nobody does."""

    begin: Callable[[str, int], None] = lambda title, steps: None  # noqa: ARG005
    """Called with the title of what begins and the number of its steps."""
    step: Callable[[], None] = lambda: None
    """Called when one of the steps is done."""
