"""The `obverse` command, and posters and photos drawn for it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from typer.testing import CliRunner

from cli.demo.posters import poster
from cli.main import app
from tests.support.paths import ROOT

TO_PHOTO = np.array([[0.7, 0.1, 60.0], [-0.08, 0.75, 70.0], [1e-4, 5e-5, 1.0]])
"""Maps a poster's pixels to those of its photo."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object) -> Done:
    """The `obverse` command within this process: ten times as quick as one of its own. What it makes of the logs ends
    with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "160", "NO_COLOR": "1"})
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def run_apart(*arguments: object) -> Done:
    """The same in a process of its own, as from a shell, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "cli.main", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return Done(done.returncode, done.stdout, done.stderr)


def write(path: Path, number: int) -> Path:
    """Poster `number` as a file in the format that the suffix names, small enough to be quick."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = cv2.resize(poster(number), (360, 504), interpolation=cv2.INTER_AREA)
    assert cv2.imwrite(str(path), cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    return path


def photograph(path: Path, number: int) -> Path:
    """A photo of the poster, from a little aside."""
    seen = cv2.warpPerspective(poster(number), TO_PHOTO, (700, 800), borderValue=(90, 110, 100))
    assert cv2.imwrite(str(path), cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))
    return path
