"""Many commands in one process that is not the tests' own: of a stranger, without rights, or of another system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tests.support.commands import Done
from tests.support.paths import ROOT
from tests.support.powers import powerless

_RUN = """
import json, sys
from typer.testing import CliRunner
from cli.main import app
ends = []
for command in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, command)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    ends.append([done.exit_code, done.stdout, done.stderr])
print(json.dumps(ends))
"""


def run_all(
    *commands: Sequence[object],
    variables: Mapping[str, str] | None = None,
    rights: bool = True,
    before: Sequence[str] = (),
) -> list[Done]:
    """How each ended, one after the other. variables: all of the environment; rights: without them the process may
    write only where its permissions say so; before: what starts it, such as a tracer."""
    given = json.dumps([[str(part) for part in command] for command in commands])
    command = [*before, sys.executable, "-W", "error", "-c", _RUN, given]
    environment = dict(os.environ if variables is None else variables)
    done = subprocess.run(
        command if rights else powerless(*command),
        env={"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "160", "NO_COLOR": "1", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [Done(*end) for end in json.loads(done.stdout)]
