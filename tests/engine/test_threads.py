"""The libraries' threads: as many after a call as before it, one while it works; and many callers at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import pytest
import threadpoolctl

from engine import recognizer as front_door
from engine import threads
from engine.errors import NotAnImage
from engine.image import encode_jpeg
from engine.recognise.pipeline import Pipeline
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.threads import one_thread_each, processors
from tests.support.answers import answered
from tests.support.drawn import photo_of, poster
from tests.support.paths import ROOT


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


def pools() -> dict[str, int]:
    """How many threads each library would use now, as the calling thread sees it: OpenMP counts for each by itself."""
    found = {f"{p['user_api']} {Path(p['filepath']).name}": p["num_threads"] for p in threadpoolctl.threadpool_info()}
    return {"opencv": cv2.getNumThreads(), **found}


PROCESS_WIDE = {"opencv"} | {
    f"blas {Path(p['filepath']).name}"
    for p in threadpoolctl.threadpool_info()
    if p["user_api"] == "blas" and p.get("threading_layer") != "openmp"
}
"""Libraries whose number of threads is the process's; OpenMP's, and that of a BLAS built on it, is each thread's."""


def give_up_blas() -> None:
    """One living thread at a time may change OpenBLAS (threadpoolctl 3.8; before, any): who might, may no more."""
    if hasattr(threadpoolctl.OpenBLASController, "clear_controlling_thread"):
        threadpoolctl.OpenBLASController.clear_controlling_thread(force=True)


def set_threads(blas: int, openmp: int) -> None:
    """Of the whole process, and of the calling thread."""
    controller = threadpoolctl.ThreadpoolController()
    give_up_blas()
    controller.select(user_api="blas").limit(limits=blas)
    give_up_blas()
    controller.select(user_api="openmp").limit(limits=openmp)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Three threads for every library of this process, which no call would choose by itself on any machine."""
    # Other tests have loaded other libraries since the pools were first asked for: these are found anew.
    monkeypatch.setattr(threads, "_POOLS", threads._LibraryPools())
    before = pools()
    cv2.setNumThreads(3)
    set_threads(blas=3, openmp=3)
    found = pools()
    assert {name.split()[0] for name in found} == {"opencv", "blas", "openmp"}
    assert set(found.values()) == {3}
    yield found
    cv2.setNumThreads(before["opencv"])
    most = {api: max(count for name, count in before.items() if name.startswith(api)) for api in ("blas", "openmp")}
    set_threads(**most)


def watch(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seen: list[dict[str, int]]) -> None:
    """Each call of `owner.name` first notes the libraries' threads."""
    work: Callable[..., Any] = getattr(owner, name)

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append(pools())
        return work(*arguments, **named)

    monkeypatch.setattr(owner, name, watched)


FRESH_PROCESS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import cv2, threadpoolctl
from engine.recognizer import Recognizer
def pools():
    found = {p["filepath"]: p["num_threads"] for p in threadpoolctl.threadpool_info()}
    return {"opencv": cv2.getNumThreads(), **found}
before = pools()
with Recognizer.open(Path(sys.argv[1])) as recognizer:
    assert pools() == before, "after opening"
    recognizer.add_channel("one")
    jpeg = Path(sys.argv[2]).read_bytes()
    recognizer.add("one", "abc", jpeg)
    assert pools() == before, "after an addition"
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda _: recognizer.recognise(jpeg, ["one"]), range(24)))
    assert {one.answer.picture.identifier for one in found} == {"abc"}
    assert pools() == before, "after eight at once"
assert pools() == before, "after closing"
"""


class TestLibraryPools:
    def test_given_back(self, tmp_path: Path, three: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
        """Opened, idle, after every call and when it is closed, every library has the threads that it had; while
        a picture is described, a photo is looked at or candidates are judged, each has one."""
        seen: dict[str, list[dict[str, int]]] = {"prepare_picture": [], "examine": [], "judge": [], "warm_up": []}
        for owner, name in ((front_door, "prepare_picture"), (Pipeline, "examine"), (front_door, "judge")):
            watch(monkeypatch, owner, name, seen[name])
        watch(monkeypatch, front_door, "warm_up", seen["warm_up"])
        jpeg = encode_jpeg(poster(1))
        with Recognizer.open(tmp_path) as recognizer:
            assert pools() == three
            recognizer.add_channel("one")
            for call in (
                recognizer.warm_up,
                lambda: recognizer.add("one", "abc", jpeg),
                lambda: recognizer.replace("one", "abc", jpeg),
                lambda: recognizer.recognise(jpeg, ["one"]),
                lambda: recognizer.similar(jpeg, ["one"]),
                recognizer.checkpoint,
                recognizer.info,
            ):
                call()
                assert pools() == three
        assert pools() == three
        assert {name: len(found) for name, found in seen.items()} == {
            "prepare_picture": 2,
            "examine": 2,
            "judge": 1,
            "warm_up": 1,
        }
        assert {count for found in seen.values() for one in found for count in one.values()} == {1}

    def test_after_a_failure(self, posters: Recognizer, three: dict[str, int]) -> None:
        """A call that raises gives them back, too."""
        for call in (lambda: posters.recognise(b"text", ["posters"]), lambda: posters.describe(b"text")):
            with pytest.raises(NotAnImage):
                call()
            assert pools() == three

    def test_who_stays_in_it(self, posters: Recognizer, three: dict[str, int]) -> None:
        """A program that holds them still for longer, as the server does, has one thread between its calls as well."""
        with one_thread_each():
            posters.recognise(encode_jpeg(poster(1)), ["posters"])
            assert set(pools().values()) == {1}
        assert pools() == three

    @pytest.mark.parametrize("first_to_leave", [0, 1])
    def test_callers_that_overlap(self, three: dict[str, int], first_to_leave: int) -> None:
        """Whoever of two threads leaves first: while the other works, OpenCV and BLAS keep to one thread; then all is
        as it was, OpenMP's number in each thread too, and the next caller works with one thread again."""
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            callers = [(one, one_thread_each()), (other, one_thread_each())]
            before = [pool.submit(pools).result() for pool, _ in callers]
            for pool, held in callers:
                pool.submit(held.__enter__).result()
                assert set(pool.submit(pools).result().values()) == {1}
            for pool, held in (callers[first_to_leave], callers[1 - first_to_leave]):
                shared = {name: count for name, count in pools().items() if name in PROCESS_WIDE}
                assert set(shared.values()) == {1}
                pool.submit(held.__exit__, None, None, None).result()
            assert pools() == three
            assert [pool.submit(pools).result() for pool, _ in callers] == before
            with one_thread_each():
                assert set(pools().values()) == {1}
            assert pools() == three

    def test_a_process_of_its_own(self, tmp_path: Path) -> None:
        """A notebook that opens a gallery, adds, has eight threads recognise at once and closes has all its threads."""
        (tmp_path / "abc.jpg").write_bytes(encode_jpeg(poster(1)))
        command = [sys.executable, "-c", FRESH_PROCESS, str(tmp_path / "data"), str(tmp_path / "abc.jpg")]
        # One thread for each library from the outset would hide a change.
        threads_wanted = {f"{library}_NUM_THREADS": "3" for library in ("OMP", "OPENBLAS")}
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | threads_wanted)


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

        callers = [threading.Thread(target=guarded, args=((find, change)[n % 2], n)) for n in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert failures == []
        assert recognizer.catalogue.counts() == {"one": lasting}
