"""How many threads the libraries' own pools have while methods are timed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import cv2
import threadpoolctl


@contextlib.contextmanager
def library_threads(count: int) -> Iterator[None]:
    """OpenCV, and the BLAS and OpenMP libraries that are loaded by then (FAISS's too), work with `count` threads;
    leaving it gives back what was there before."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        with threadpoolctl.threadpool_limits(count):
            yield
    finally:
        cv2.setNumThreads(before)
