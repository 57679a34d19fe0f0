"""The libraries' own thread pools, for the commands and the server that run the engine."""

from __future__ import annotations

import contextlib
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
