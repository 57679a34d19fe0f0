"""Settings of one run of the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How methods are run; a run folder holds runs of the same settings only."""

    threads: int = 1
    """Threads of each method, and of the pools of the libraries that it calls."""
    seed: int = 0
    """Seed of the photos that ceilings are run on, and of made-up pictures."""
    ceiling_queries: int | None = 60
    """Photos that ceilings are run on; None: all."""
    matcher: Path | None = None
    """ONNX file of a learned matcher, for the methods that verify with one."""
