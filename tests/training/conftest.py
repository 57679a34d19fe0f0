"""Pictures to train on."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_pictures import drawn

from engine.image import encode_jpeg


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred drawn pictures as files."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(100):
        (folder / f"{seed:03d}.jpg").write_bytes(encode_jpeg(drawn(seed), quality=92))
    return folder
