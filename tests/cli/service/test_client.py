"""`obverse client` makes each of the seven calls, and says by its status whether it was granted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.service.client import client_app
from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server


class TestClient:
    @pytest.fixture
    def run(self, server: Server, alice: Caller) -> Any:
        variables = {
            "OBVERSE_SERVER": server.base,
            "OBVERSE_USERNAME": alice.full.username,
            "OBVERSE_SECRETKEY": alice.full.secretkey,
        }

        def run(*arguments: str, status: int = 0) -> Any:
            result = CliRunner().invoke(client_app, list(arguments), env=variables)
            assert result.exit_code == status, result.output
            return json.loads(result.stdout) if result.stdout else None

        return run

    def test_seven_calls(self, run: Any, channel: str, tmp_path: Path) -> None:
        cover, photo = tmp_path / "cover.jpg", tmp_path / "photo.jpg"
        cover.write_bytes(picture(80))
        photo.write_bytes(photo_of(80))
        here = ("--channel", channel)
        assert run("add", "cover.80", str(cover), *here, "--metadata", "é", "--matchratio", "0.2")["returncode"] == 0
        assert run("find", str(photo), *here, "--explain", "--limit", "2")["identifier"] == "cover.80"
        assert run("list", *here)["totalcount"] == 1
        assert run("get", "cover.80", *here)["metadata"] == "é"
        assert run("update", "cover.80", *here, "--metadata", "")["returncode"] == 0
        assert run("get", "cover.80", *here)["metadata"] == ""
        assert run("statistics", "2020", "2100", *here)["records"][0]["count"] == 1
        assert run("remove", "cover.80", *here)["returncode"] == 0
        assert run("get", "cover.80", *here, status=1)["returncode"] == 20014

    def test_no_server(self, run: Any) -> None:
        assert run("list", "--channel", "x", "--server", "http://127.0.0.1:9", status=1) is None
