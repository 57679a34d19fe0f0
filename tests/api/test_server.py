"""What the server hands to the engine, what it does to the process, and how it tells its state."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import threadpoolctl
import uvicorn

from api.server import engine_settings, run_server
from api.service import Readiness
from api.settings import Settings, load_settings
from engine.settings import EngineSettings


class TestEngineSettings:
    def test_defaults(self) -> None:
        """What an operator leaves alone is as in a script, but for the size of images."""
        chosen = engine_settings(Settings())
        assert chosen == EngineSettings(limits=chosen.limits)
        assert chosen.limits.max_bytes == Settings().max_image_bytes

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("default_threshold", "0", 0.0),
            ("default_threshold", "72.5", 72.5),
            ("second_look", "false", False),
            ("keep_pictures", "false", False),
            ("threads", "1", 1),
            ("model", "elsewhere", Path("elsewhere")),
            ("comparator", "elsewhere", Path("elsewhere")),
            ("calibration", "fit.json", Path("fit.json")),
        ],
    )
    def test_chosen(self, name: str, text: str, value: object) -> None:
        chosen = load_settings(environment={f"OBVERSE_{name.upper()}": text})
        assert getattr(engine_settings(chosen), name) == value


class TestThreads:
    def test_limited_while_it_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The libraries' own pools have one thread while the server runs, and what they had before afterwards."""
        seen: list[list[int]] = []

        def pools() -> list[int]:
            return [cv2.getNumThreads(), *(pool["num_threads"] for pool in threadpoolctl.threadpool_info())]

        def run(server: uvicorn.Server, **_: object) -> None:
            seen.append(pools())
            server.config.app.state.service.close()

        monkeypatch.setattr(uvicorn.Server, "run", run)
        before = cv2.getNumThreads()
        cv2.setNumThreads(2)
        try:
            with threadpoolctl.threadpool_limits(2):
                told: list[str] = []
                done = run_server(tmp_path, Settings(port=0), tell=lambda address, _: told.append(address))
                assert done == 1  # it never came to serve
                assert set(seen[0]) == {1}
                assert set(pools()) == {2}
                assert told[0].startswith("http://127.0.0.1:")
        finally:
            cv2.setNumThreads(before)


class TestReadiness:
    def test_life(self) -> None:
        readiness = Readiness()
        assert not readiness.ready
        readiness.warmed_up()
        assert readiness.ready
        readiness.stopping()
        assert (readiness.ready, readiness.stuck) == (False, False)
        readiness.hung()
        assert readiness.stuck

    def test_stopped_while_it_warms_up(self) -> None:
        """It is never ready then."""
        readiness = Readiness()
        readiness.stopping()
        readiness.warmed_up()
        assert not readiness.ready
