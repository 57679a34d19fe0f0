"""Processors and the libraries' own thread pools, for the commands and the server that run the engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import cv2
import threadpoolctl


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """OpenCV, and the BLAS and OpenMP libraries that are loaded when it is entered, work in one thread; leaving it
    gives back what was there before.

    The engine shares its cores out itself: pools of the libraries inside its threads would fight for the same cores.
    OpenCV's limit holds for the whole process, OpenMP's for the thread that enters: both are for those who own the
    process, never for the engine.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpoolctl.threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)


def processors() -> int:
    """How many processors this process may use: what a container or `taskset` leaves it, where the system tells."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS nor on Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
