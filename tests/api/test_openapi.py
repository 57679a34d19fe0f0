"""Requests made up from the OpenAPI document: no failure of the server, no answer that it does not describe."""

from __future__ import annotations

import subprocess
import sys

import pytest

from api.dialects.easyar.contract import OPERATIONS
from api.dialects.kivicube.contract import METHODS
from api.dialects.vuforia.contract import CALLS
from tests.support.running_server import Caller, Server


def test_every_call_is_described(server: Server) -> None:
    """Of all four dialects: what it does, an example of an answer, and each way in which it is refused."""
    paths = server.client.get("/docs/openapi.json").json()["paths"]
    asked = [
        *(f"/{method.name}" for method in METHODS),
        *(f"/easyar{path}" for operation in OPERATIONS for path in operation.paths),
        *(f"/vuforia{call.path}" for call in CALLS),
        *("/easyar/ping", "/easyar/token/v2", "/vuforia/v1/query", "/v1/compare", "/v1/changes"),
        *("/v1/pictures:import", "/v1/imports", "/v1/imports/{number}"),
    ]
    for path in asked:
        for verb, operation in paths[path.replace(":str}", "}")].items():
            told = operation["responses"]
            done = [status for status in told if status.startswith("2")]
            assert operation["summary"], (verb, path)
            assert operation["description"], (verb, path)
            assert done, (verb, path)
            for status in done:
                assert all(media["examples"] for media in told[status]["content"].values()), (verb, path)
    ids = [operation["operationId"] for verbs in paths.values() for operation in verbs.values()]
    assert len(ids) == len(set(ids))
    assert not {"/targets", "/kivicube/AddImage", "/easyar/SIMILAR"} & set(paths)


@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.usefixtures("books")
def test_schemathesis(server: Server, alice: Caller, own: bool) -> None:
    """Valid and invalid requests for every path; then, as a user, for our own calls alone (the others sign, or have
    their keys in the body). Positive and negative data both answer HTTP 200 in some dialects, with a code, so that the
    checks of statuses that assume otherwise are left out."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.base}/docs/openapi.json"),
        *(
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ),
        *("--max-examples", "40", "--seed", "5", "--request-timeout", "30"),
        # It can make no tar and no zip: of an import's bodies most are passed over.
        *("--suppress-health-check", "filter_too_much"),
        *(("--include-path-regex", "^/v1", "--auth", f"{alice.full.username}:{alice.full.secretkey}") if own else ()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "unexpected failure" not in server.log_text()
