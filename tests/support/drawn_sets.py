"""Small evaluation sets of drawn pictures and warped photos, for comparisons."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

TILT = np.array([[0.9, 0.1, 30], [-0.05, 0.95, 40], [1e-4, 0, 1]])
"""Picture pixels to photo pixels."""


def drawn(seed: int) -> np.ndarray:
    """A picture of shapes and letters, (400, 300, 3) uint8 BGR."""
    rng = np.random.default_rng([23, seed])
    image = np.full((400, 300, 3), 220, np.uint8)
    for _ in range(90):
        x, y, size = (int(v) for v in rng.integers([0, 0, 6], [300, 400, 50]))
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        if rng.random() < 0.5:
            cv2.rectangle(image, (x, y), (x + size, y + size), colour, -1)
        else:
            cv2.putText(image, chr(int(rng.integers(65, 91))), (x, y), cv2.FONT_HERSHEY_DUPLEX, size / 20, colour, 2)
    return image


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def photograph(seed: int) -> np.ndarray:
    return cv2.warpPerspective(drawn(seed), TILT, (400, 500), borderValue=(90, 90, 90))


def make_set(folder: Path, pictures: range, negatives: range = range(0)) -> Path:
    """pictures: seeds, each with a photo qN.png of rN.png; negatives: photos nN.png that show nothing."""
    rows = ["query,ref"]
    for seed in pictures:
        write(folder / "refs" / f"r{seed}.png", drawn(seed))
        write(folder / "queries" / f"q{seed}.png", photograph(seed))
        rows.append(f"q{seed}.png,r{seed}.png")
    for seed in negatives:
        write(folder / "queries" / f"n{seed}.png", photograph(seed))
        rows.append(f"n{seed}.png,")
    (folder / "truth.csv").write_text("\n".join(rows) + "\n")
    return folder
