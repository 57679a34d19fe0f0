"""The commands of the service: their output, where they end as expected."""

from __future__ import annotations

import json
from typing import Any

from tests.support import commands


def run(*arguments: str, code: int = 0) -> str:
    """All that a command of the service prints."""
    done = commands.run(*arguments)
    assert done.status == code, done.err
    return done.out + done.err


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))
