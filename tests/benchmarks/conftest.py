"""A small evaluation set of drawn pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.drawn_sets import drawn, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of three references and five queries: two of a.jpg, one of b.png, an easy and a hard negative."""
    place = tmp_path / "cartons"
    for seed, name in enumerate(("a.jpg", "b.png", "deep/c.jpg")):
        write(place / "refs" / name, drawn(seed))
    tilt = np.array([[0.9, 0.1, 30], [-0.05, 0.95, 40], [1e-4, 0, 1]])
    for query, seed in (("q1.jpg", 0), ("q2.jpg", 0), ("q3.jpg", 1), ("easy.jpg", 77), ("hard.jpg", 78)):
        write(place / "queries" / query, cv2.warpPerspective(drawn(seed), tilt, (400, 500), borderValue=(90,) * 3))
    (place / "truth.csv").write_text(
        "query,ref\nq1.jpg,a.jpg\nq2.jpg,a.jpg\nq2.jpg,deep/c.jpg\nq3.jpg,b.png\neasy.jpg,\nhard.jpg,\n"
    )
    return place
