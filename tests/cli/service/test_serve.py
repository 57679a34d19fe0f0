"""`obverse serve`: what its import does, and what it refuses. How it runs: tests/api/test_operations.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.commands import run
from tests.support.paths import ROOT


def test_a_wrong_setting_is_wrong_usage(tmp_path: Path) -> None:
    """One line and status 2, before the folder is touched."""
    (tmp_path / "settings.toml").write_text("pagesize = 5\n")
    done = run("serve", "--data", tmp_path / "data", "--config", tmp_path / "settings.toml")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("obverse: ")
    assert "page_size" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_no_effect_at_import() -> None:
    """Importing the service opens nothing, logs nothing and leaves the loggers alone."""
    modules = "api.app, api.server, cli.service.accounts, cli.service.client, cli.service.serve, cli.service.stats"
    code = f"import logging, {modules}; assert not logging.getLogger().handlers"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
