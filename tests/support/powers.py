"""Processes that folders' permissions hold for, also where the tests run as root; and copies of the package."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGES = ("engine", "api", "cli", "models", "training")


def powerless(*command: str) -> list[str]:
    """The command as a process that may write only where it has the permission. Root may write everywhere else: its
    powers are taken from it, and the test is skipped where no tool does that."""
    if os.name == "nt" or os.getuid() != 0:
        return list(command)
    if (tool := shutil.which("setpriv")) is None:
        pytest.skip("the tests run as root, and setpriv (util-linux) is not here to take its powers away")
    return [tool, "--bounding-set=-all", "--inh-caps=-all", *command]


def copy_package(target: Path) -> Path:
    """What an installation lays into site-packages, without kernels and bytecode."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def make_read_only(folder: Path) -> None:
    """Takes the right to write from everybody, of the folder and of all that is in it."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)


def make_writable(folder: Path) -> None:
    """So that pytest can clear it away."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
