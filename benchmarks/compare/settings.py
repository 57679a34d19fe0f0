"""Settings of one run of the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """ceiling_queries: photos that ceilings are run on, None for all; matcher: ONNX file of a learned
    matcher."""

    threads: int = 1
    seed: int = 0
    ceiling_queries: int | None = 60
    matcher: Path | None = None
