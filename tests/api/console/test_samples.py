"""The requests that Try shows to programmers do what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from api.console.samples import samples
from tests.support import service_commands
from tests.support.drawn_pictures import photo_of
from tests.support.easyar_client import EasyAR, Keys
from tests.support.running_server import Caller, Server


@pytest.fixture(scope="module")
def keys(console: Server, ann: Caller, shelf: str) -> dict[str, str]:
    """By the names that the requests leave open."""
    made = service_commands.run_json("app", "add", shelf, "--user", ann.name, "--data", str(console.folder))
    app = EasyAR(client=console.client, keys=Keys(**made))
    token = app.with_token("READ").token
    assert token
    return {
        "USERNAME": ann.readonly.username,
        "SECRETKEY": ann.readonly.secretkey,
        "APP_ID": app.keys.appId,
        "TOKEN": token,
    }


def text_of(console: Server, shelf: str, dialect: str, language: str) -> str:
    (found,) = [s.text for s in samples(console.base, shelf) if (s.dialect, s.language) == (dialect, language)]
    return found


@pytest.fixture
def beside_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "photo.jpg").write_bytes(photo_of(2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("beside_a_photo")
@pytest.mark.parametrize("dialect", ["Kivicube", "EasyAR"])
class TestSamples:
    def test_python(
        self, console: Server, shelf: str, keys: dict[str, str], dialect: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        exec(text_of(console, shelf, dialect, "Python"), dict(keys))
        assert capsys.readouterr().out == "two.2\n"

    @pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
    def test_curl(self, console: Server, shelf: str, keys: dict[str, str], dialect: str) -> None:
        command = text_of(console, shelf, dialect, "curl")
        done = subprocess.run(
            ["bash", "-c", command], env={**os.environ, **keys}, capture_output=True, text=True, check=True
        )
        assert "two.2" in done.stdout
