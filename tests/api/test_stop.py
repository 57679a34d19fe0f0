"""A server that stops on a bad day: everything is closed, and the exit status says that not all could be saved."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.errors import StatisticsError
from api.service import Service
from api.settings import Settings
from engine.errors import DataFolderLocked, StorageFull
from engine.index import snapshot
from engine.index.folder_lock import FolderLock
from engine.recognizer import Recognizer
from tests.support.drawn_pictures import photo_of, picture
from tests.support.running_server import make_channel, make_user, serving
from tests.support.small_disk import fill_up, needs_root, small_disk


def full(*_: object) -> None:
    raise StorageFull("somewhere")


class TestClosing:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Service:
        return Service(Settings(engine_workers=1), Recognizer.open(tmp_path))

    def test_all_is_well(self, service: Service) -> None:
        service.close()
        assert not service.readiness.unsaved

    def test_indexes_cannot_be_saved(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The folder is free all the same, and the log has a sentence, not a traceback."""
        monkeypatch.setattr(snapshot, "save", full)
        with caplog.at_level(logging.ERROR):
            service.close()
        assert service.readiness.unsaved
        assert [record.exc_info for record in caplog.records] == [None]
        FolderLock(service.catalogue.folder).release()

    def test_counts_cannot_be_saved(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        """The rest is: the indexes, which are saved after them."""
        real = service.count_store.close

        def close() -> None:
            real()
            raise StatisticsError("no room")

        monkeypatch.setattr(service.count_store, "close", close)
        with pytest.raises(DataFolderLocked):
            FolderLock(service.catalogue.folder)
        service.close()
        assert service.readiness.unsaved
        assert (service.catalogue.folder / "index" / "manifest.json").is_file()
        FolderLock(service.catalogue.folder).release()


@pytest.mark.slow
@needs_root
class TestFullDisk:
    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        with small_disk(tmp_path / "disk", megabytes=30) as mounted:
            yield mounted

    def test_stopped(self, disk: Path, tmp_path: Path) -> None:
        """The exit status is not 0, nothing acknowledged is lost, and with room again the next start is whole."""
        data = disk / "data"
        with serving(data, log=tmp_path / "log") as server:
            alice = make_user(data, "alice")
            channel = make_channel(data, "books", alice)
            for seed in range(4):
                assert server.code("AddImage", alice, picture(seed), channel=channel, identifier=f"one.{seed}") == 0
            assert server.call("FindImage", alice, photo_of(1), channel=channel)["identifier"] == "one.1"
            filler = fill_up(disk)
            assert server.stop() == 1
            said = server.log_text()
            assert "not all is saved" in said
            assert "Traceback" not in said
            filler.unlink()
        with serving(data, log=tmp_path / "log") as server:
            for seed in range(4):
                assert server.call("FindImage", alice, photo_of(seed), channel=channel)["identifier"] == f"one.{seed}"
            counts = server.call("Statistics", alice, channel=channel, startdate="2020", enddate="2100")["records"]
            assert sum(record["count"] for record in counts) == 5
            assert server.stop() == 0
