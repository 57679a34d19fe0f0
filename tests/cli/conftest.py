"""One gallery that tests only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import run, write


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with posters 0 to 5 as one.0 … one.5 in channel `one`; tests only read it."""
    folder = tmp_path_factory.mktemp("gallery")
    for number in range(6):
        write(folder / "pictures" / f"one.{number}.jpg", number)
    done = run("add", folder / "pictures", "--channel", "one", "--data", folder / "data")
    assert done.status == 0, done.err
    return folder / "data"
