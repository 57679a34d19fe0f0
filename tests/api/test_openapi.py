"""Requests made up from the OpenAPI document: no failure of the server, no answer that it does not describe."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.running_server import Server


@pytest.mark.slow
@pytest.mark.usefixtures("books")
def test_schemathesis(server: Server) -> None:
    """Valid and invalid requests for every path. Positive and negative data both answer HTTP 200 here, with a
    code, so the checks of statuses that assume otherwise are left out."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.base}/docs/openapi.json"),
        *(
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ),
        *("--max-examples", "40", "--seed", "5", "--request-timeout", "30"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "unexpected failure" not in server.log_text()
