"""`obverse stats`, from the running server and from the file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from api.stats.store import CountStore, Event
from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import Caller, Server
from tests.support.service_commands import run, run_json


class TestStats:
    def test_asks_the_running_server(self, server: Server, alice: Caller, channel: str, tmp_path: Path) -> None:
        """DuckDB lets no second process in, and the newest counts must show."""
        server.call("AddImage", alice, picture(42), channel=channel, identifier="shown.1")
        assert server.call("FindImage", alice, photo_of(42), channel=channel)["identifier"] == "shown.1"
        told = run_json("stats", "--data", str(server.folder), "--user", "alice", "--channel", channel)
        assert [(day["channel"], day["matches"]) for day in told["days"]] == [(channel, 1)]
        assert told["top"] == [{"channel": channel, "identifier": "shown.1", "matches": 1}]
        plot = tmp_path / "matches.png"
        assert "shown.1" in run("stats", "--data", str(server.folder), "--channel", channel, "--plot", str(plot))
        assert plot.read_bytes().startswith(b"\x89PNG")

    def test_reads_the_file_when_none_runs(self, tmp_path: Path) -> None:
        run("user", "add", "eve", "--data", str(tmp_path))
        assert run_json("stats", "--data", str(tmp_path)) == {"days": [], "top": []}
        store = CountStore(tmp_path)
        now = dt.datetime(2026, 5, 4, 12)
        store.append([Event(at=now, day=now.date(), user_id=1, channel="books", identifier="one.1")])
        store.close()
        (tmp_path / "server.json").write_text('{"address": "http://127.0.0.1:9", "token": "x", "pid": 1}')
        told = run_json("stats", "--data", str(tmp_path), "--from", "202605", "--to", "2026")
        assert told["days"] == [{"day": "2026-05-04", "channel": "books", "matches": 1}]
        assert run_json("stats", "--data", str(tmp_path), "--to", "2025")["days"] == []

    def test_refusals(self, tmp_path: Path) -> None:
        run("user", "add", "eve", "--data", str(tmp_path))
        run("stats", "--data", str(tmp_path), "--from", "yesterday", code=1)
        run("stats", "--data", str(tmp_path), "--user", "nobody", code=1)
