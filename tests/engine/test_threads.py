"""How many processors there are, what becomes of the libraries' threads, and many callers at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.threads import processors
from tests.support.answers import answered
from tests.support.drawn import photo_of, poster


class TestProcessors:
    def test_here(self) -> None:
        """Never more than the machine has, and at least one."""
        assert 1 <= processors() <= (os.cpu_count() or 1)

    def test_each_system_in_its_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Python 3.13's own count, before it what the process may run on, on macOS what the machine has."""
        monkeypatch.delattr(os, "process_cpu_count", raising=False)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {1, 5}, raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 8)
        assert processors() == 2
        monkeypatch.delattr(os, "sched_getaffinity")
        assert processors() == 8
        monkeypatch.setattr(os, "cpu_count", lambda: None)
        assert processors() == 1
        monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
        assert processors() == 3


class TestManyCallers:
    @pytest.fixture
    def recognizer(self, tmp_path: Path) -> Iterator[Recognizer]:
        """An empty gallery with the channel "one", whose segments are built after a few pictures."""
        with Recognizer.open(tmp_path, EngineSettings(tail=6, own_shard=20)) as made:
            made.add_channel("one")
            yield made

    def test_eight_at_once(self, recognizer: Recognizer) -> None:
        """Eight threads that add, find and remove at once: what stays is always found, what is removed never
        again, and nothing raises."""
        lasting = 4
        photos = [photo_of(poster(s), seed=s, strength=0.2).jpeg for s in range(lasting)]
        for seed in range(lasting):
            recognizer.add("one", f"lasting.{seed}", encode_jpeg(poster(seed)))
        failures: list[object] = []

        def find(number: int) -> None:
            for turn in range(5):
                seed = (number + turn) % lasting
                if answered(recognizer.recognise(photos[seed], ["one"])) != f"lasting.{seed}":
                    failures.append(("lost", seed))

        def change(number: int) -> None:
            for turn in range(3):
                seed = 100 + 10 * number + turn
                jpeg, name = encode_jpeg(poster(seed)), f"passing.{seed}"
                recognizer.add("one", name, jpeg)
                if answered(recognizer.recognise(jpeg, ["one"])) != name:
                    failures.append(("not found", name))
                recognizer.remove("one", name)
                if recognizer.recognise(jpeg, ["one"]).answer is not None:
                    failures.append(("found after removal", name))

        def guarded(work: object, number: int) -> None:
            try:
                work(number)  # type: ignore[operator]
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=((find, change)[n % 2], n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert recognizer.catalogue.counts() == {"one": lasting}
