"""The parts that methods share, and the threads that they have while they are timed."""

from __future__ import annotations

from pathlib import Path

import cv2
import faiss
import threadpoolctl

from benchmarks.compare.material import Material
from benchmarks.compare.parts.workshop import Workshop


def threads() -> tuple[int, int, set[int]]:
    """The threads of OpenCV, of FAISS, and of the BLAS and OpenMP libraries."""
    pools = {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    return cv2.getNumThreads(), faiss.omp_get_max_threads(), pools


class TestThreads:
    def test_given_back(self, material: Material, tmp_path: Path) -> None:
        """The libraries' pools have the threads that are asked for, and afterwards what they had before."""
        before = threads()
        for count in (3, 1):
            workshop = Workshop(tmp_path, material, threads=count)
            assert threads() == (count, count, {count})
            workshop.gallery()
            assert threads() == (count, count, {count}), "the engine leaves them as they are"
            workshop.close()
            assert threads() == before
