"""Threads: the libraries' own pools, which the engine holds still while it works, and work that two threads share."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import cached_property
from typing import Any, TypeVar

import cv2
import threadpoolctl

T = TypeVar("T")


class _LibraryPools:
    """The pools of OpenCV, BLAS and OpenMP in this process, and how many callers want them to have one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callers = 0
        self._opencv = 0
        self._blas: Any = None

    @cached_property
    def _found(self) -> threadpoolctl.ThreadpoolController:
        """The libraries that are loaded when it is first asked for: finding them takes milliseconds."""
        return threadpoolctl.ThreadpoolController()

    @contextlib.contextmanager
    def one_thread(self) -> Iterator[None]:
        # OpenMP's limit is the calling thread's own. It is entered first and left last: a BLAS that is built on OpenMP
        # would change it, too, and what it was before would be forgotten.
        with self._found.select(user_api="openmp").limit(limits=1):
            # OpenCV's and BLAS's are the process's: the first caller sets them, the last gives back what was there.
            with self._lock:
                if not self._callers:
                    self._opencv = cv2.getNumThreads()
                    cv2.setNumThreads(1)
                    self._blas = self._found.select(user_api="blas").limit(limits=1)
                self._callers += 1
            try:
                yield
            finally:
                with self._lock:
                    self._callers -= 1
                    if not self._callers:
                        self._blas.restore_original_limits()
                        cv2.setNumThreads(self._opencv)


_POOLS = _LibraryPools()


def one_thread_each() -> contextlib.AbstractContextManager[None]:
    """While it is entered, OpenCV, BLAS and OpenMP work in one thread; then they have what they had before.

    The engine shares its cores out itself: pools of the libraries inside its threads would fight for the same cores,
    and a matrix product that is divided otherwise differs in its last digit. Every call of the engine enters it; a
    program that does nothing else (the server, the commands) stays in it, which spares each call the change. Many
    threads may be in it at once. It covers the libraries that are loaded when it is first entered.
    """
    return _POOLS.one_thread()


def processors() -> int:
    """How many processors this process may use: what a container or `taskset` leaves it, where the system tells."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS nor on Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_both(pool: Executor | None, first: Callable[[], T], second: Callable[[], T]) -> tuple[T, T]:
    """The results of both calls; with a pool, `second` runs in one of its threads meanwhile."""
    if pool is None:
        return first(), second()
    other = pool.submit(second)
    return first(), other.result()
