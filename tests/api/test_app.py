"""How the parts are put together: settings that must fit each other, and an end that closes everything."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from api.app import _running, check_settings
from api.dialects.easyar import parameters
from api.dialects.kivicube.contract import METHODS
from api.edge.door import Door
from api.errors import SettingError
from api.service import Readiness
from api.settings import Settings


class TestSettingsThatFit:
    def test_the_share_lets_the_largest_body_in(self) -> None:
        """Else every such body that comes in chunks were busy for ever; the least value is named."""
        check_settings(Settings())
        for settings in ({}, {"max_image_bytes": 30_000_000}, {"max_metadata_bytes": 0, "max_image_bytes": 2_000_000}):
            with pytest.raises(SettingError, match="max_buffered_bytes: at least ") as refused:
                check_settings(Settings(max_buffered_bytes=1_000_000, **settings))
            least = int(str(refused.value).split("at least ")[1].split()[0])
            check_settings(Settings(max_buffered_bytes=least, **settings))
            with pytest.raises(SettingError):
                check_settings(Settings(max_buffered_bytes=least - 1, **settings))

    def test_a_codec_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        check_settings(Settings(formats=("JPEG", "HEIC")))
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        with pytest.raises(SettingError, match=r"obverse\[heic\]"):
            check_settings(Settings(formats=("JPEG", "HEIC")))

    @pytest.mark.parametrize("drained", [0, 1_000])
    def test_the_largest_legal_body_is_read(self, drained: int) -> None:
        """Also where nothing that is too much is read away."""
        settings = Settings(max_drain_bytes=drained)
        for method in METHODS:
            rules = method.rules(settings)
            assert rules.max_body_bytes > rules.most_kept + drained
            assert rules.files or rules.max_body_bytes > rules.most_escaped + drained
        rules = parameters.rules(settings)
        assert rules.max_body_bytes > rules.most_kept + drained
        assert rules.max_body_bytes > parameters.json_limit(settings, image=True, meta=True) + drained


class TestEnd:
    def run(self, warm_up: Any, *, seconds: int = 5) -> Any:
        """The service that ran and was stopped at once."""
        settings = Settings(stop_timeout_seconds=seconds)
        service: Any = SimpleNamespace(settings=settings, readiness=Readiness(), closed=0)
        service.recognizer = SimpleNamespace(warm_up=warm_up)
        service.imports = service.misses = SimpleNamespace(run=lambda: asyncio.sleep(60))

        def close() -> None:
            service.closed += 1

        service.close = close

        async def use() -> None:
            service.door = Door(settings)
            async with _running(service):
                await asyncio.sleep(0.1)
                assert not service.readiness.ready

        asyncio.run(use())
        return service

    def test_a_failed_warm_up(self, caplog: pytest.LogCaptureFixture) -> None:
        """The log has its reason, and everything is closed all the same."""

        def warm_up() -> None:
            raise RuntimeError("no such kernel")

        with caplog.at_level(logging.ERROR):
            service = self.run(warm_up)
        assert "no such kernel" in caplog.text
        assert (service.closed, service.readiness.stuck) == (1, False)

    def test_a_warm_up_that_hangs(self) -> None:
        """It is not waited for without an end; what it works on is not closed under its hands."""
        release = threading.Event()
        timer = threading.Timer(3, release.set)
        timer.start()
        service = self.run(lambda: release.wait(timeout=20), seconds=1)
        assert (service.closed, service.readiness.stuck) == (0, True)
        timer.join()
