"""The note that a server leaves in its folder, whatever has become of it and of the server."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.errors import StatisticsError
from api.stats import asking
from api.stats.asking import ask_server
from api.stats.report import Report
from api.stats.store import Question

ALWAYS = Question(first=dt.date.min, last=dt.date.max)


def ask(folder: Path) -> object:
    return ask_server(folder, ALWAYS, limit=1)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[list[bytes]]:
    """Another program at the address of the note, which answers what the list holds."""
    answers = [b""]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        note = {"address": f"http://127.0.0.1:{listener.getsockname()[1]}", "token": "x", "pid": 1}
        (tmp_path / "server.json").write_text(json.dumps(note))

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(answers[0])

        thread = threading.Thread(target=serve)
        thread.start()
        yield answers
        thread.join()


class TestNote:
    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "{}", '{"address": 5, "token": "x"}', '{"address": "http://x"}', "\0"]
    )
    def test_damaged(self, tmp_path: Path, text: str) -> None:
        """Nobody is asked, and the file of the counts is read instead."""
        (tmp_path / "server.json").write_text(text)
        assert ask(tmp_path) is None

    def test_none(self, tmp_path: Path) -> None:
        assert ask(tmp_path) is None

    @pytest.mark.parametrize("address", ["nothing", "http://127.0.0.1:x", "ftp://127.0.0.1"])
    def test_an_address_that_is_none(self, tmp_path: Path, address: str) -> None:
        (tmp_path / "server.json").write_text(json.dumps({"address": address, "token": "x"}))
        with pytest.raises(StatisticsError):
            ask(tmp_path)

    def test_no_proxy(self, tmp_path: Path, other: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        """The token goes to the server alone, whatever proxy the environment names."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.delenv("NO_PROXY", raising=False)
        body = b'{"days":[],"top":[]}'
        other[0] = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        assert ask(tmp_path) == Report(days=[], top=[])

    def test_a_slow_server(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is told as what it is, not as another program."""
        monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            (tmp_path / "server.json").write_text(json.dumps({"address": address, "token": "x"}))
            with pytest.raises(StatisticsError, match="did not answer within"):
                ask(tmp_path)

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        ],
    )
    def test_another_program(self, tmp_path: Path, other: list[bytes], answer: bytes) -> None:
        """Our own error, in one sentence."""
        other[0] = answer
        with pytest.raises(StatisticsError) as caught:
            ask(tmp_path)
        assert "\n" not in str(caught.value).strip()
