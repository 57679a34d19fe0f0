"""Which tests run where: slow ones in CI and with --slow, those on the shared pictures where these are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too, as CI=true does")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow_too = config.getoption("--slow") or os.environ.get("CI") == "true"
    for item in items:
        if item.get_closest_marker("slow") and not slow_too:
            item.add_marker(pytest.mark.skip(reason="slow; runs with --slow and where CI=true"))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="needs the pictures of ../shared/data, which are not here"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the shared pictures; for tests marked `shared`."""
    return SHARED
