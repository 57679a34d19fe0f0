"""Pictures to train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.image import encode_jpeg
from tests.support.training_pictures import drawn


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred drawn pictures as files."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(100):
        (folder / f"{seed:03d}.jpg").write_bytes(encode_jpeg(drawn(seed), quality=92))
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch with one thread: small tensors gain nothing by more, and lose much where something else runs beside."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
