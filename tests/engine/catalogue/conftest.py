"""An empty catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.catalogue import Catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """With the channel "one"."""
    made = Catalogue(tmp_path / "data")
    made.add_channel("one")
    yield made
    made.close()
