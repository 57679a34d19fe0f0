"""`obverse console` and `obverse channel try`."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from api.accounts.open_channels import is_open
from api.accounts.operator import OperatorPassword
from engine.catalogue import Catalogue
from tests.support.paths import ROOT
from tests.support.service_commands import run, run_json


def set_password(folder: Path, given: str, *options: str) -> subprocess.CompletedProcess[str]:
    """With a standard input of its own."""
    code = "import sys; from cli.main import app; app(['console', 'password', *sys.argv[1:]])"
    command = [sys.executable, "-c", code, "--data", str(folder), *options]
    return subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, check=False)


class TestPassword:
    def test_from_standard_input(self, tmp_path: Path) -> None:
        """The first line; it is not shown again."""
        run("user", "add", "ann", "--data", str(tmp_path))
        done = set_password(tmp_path, "correct horse\nmore\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert "horse" not in done.stdout
        with contextlib.closing(Catalogue(tmp_path)) as catalogue:
            assert OperatorPassword(catalogue).verify("correct horse")
        assert run_json("console", "password", "--remove", "--data", str(tmp_path)) == {"password": False}
        with contextlib.closing(Catalogue(tmp_path)) as catalogue:
            assert not OperatorPassword(catalogue).mark()

    def test_refused(self, tmp_path: Path) -> None:
        run("user", "add", "ann", "--data", str(tmp_path))
        for given in ("", "\n", "short\n"):
            done = set_password(tmp_path, given)
            assert done.returncode == 1
            assert "8 to 200 characters" in done.stderr
        assert set_password(tmp_path / "none", "correct horse\n").returncode == 2


class TestTry:
    def test_on_and_off(self, tmp_path: Path) -> None:
        data = ("--data", str(tmp_path))
        run("user", "add", "ann", *data)
        run("channel", "add", "books", "--user", "ann", *data)
        for option, expected in (("--on", True), ("--off", False)):
            assert run_json("channel", "try", "books", option, *data) == {"channel": "books", "open": expected}
            with contextlib.closing(Catalogue(tmp_path)) as catalogue:
                assert is_open(catalogue, catalogue.channel("books")) is expected

    def test_refused(self, tmp_path: Path) -> None:
        data = ("--data", str(tmp_path))
        run("user", "add", "ann", *data)
        run("channel", "try", "none", "--on", *data, code=1)
        run("channel", "try", "none", *data, code=2)
