"""Simulated photographs beside real ones, to judge the simulation by eye.

    python -m training.simulation.contact_sheet PICTURES PHOTOS OUT.png [--strength S] [--seed N]

Left: pictures of the folder PICTURES, photographed by simulation; right: photos of the folder PHOTOS. The sheet
shows the pictures themselves: mind whose they are before you pass it on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from engine.errors import ResearchError
from engine.image_files import list_pictures, read_rgb
from engine.values import ColorImage
from training.simulation.photographs import simulate

CELL = 200
"""Pixels on a side of the square that holds one picture."""
ROWS, COLUMNS = 6, 4
"""How many squares each half of the sheet has."""
GAP = 12
"""White pixels between the halves."""


def contact_sheet(pictures: list[Path], photos: list[Path], *, strength: float = 1.0, seed: int = 0) -> ColorImage:
    """(ROWS * CELL, 2 * COLUMNS * CELL + GAP, 3) RGB uint8. Raises ResearchError where either has nothing readable."""
    rng = np.random.default_rng(seed)
    sources, real = (_readable(paths, rng) for paths in (pictures, photos))
    if not sources or not real:
        raise ResearchError("no picture that can be read in one of the folders")
    made = [
        simulate(source, [sources[k] for k in rng.integers(0, len(sources), 2)], rng, strength=strength)[0]
        for source in sources
    ]
    between = np.full((ROWS * CELL, GAP, 3), 255, np.uint8)
    return np.hstack([_grid(made), between, _grid(real)])


def _readable(paths: list[Path], rng: np.random.Generator) -> list[ColorImage]:
    """The first that can be read of the paths in random order, as many as one half has squares."""
    found: list[ColorImage] = []
    for number in rng.permutation(len(paths)):
        image = read_rgb(paths[number])
        if image is not None:
            found.append(image)
        if len(found) == ROWS * COLUMNS:
            break
    return found


def _grid(images: list[ColorImage]) -> ColorImage:
    sheet = np.full((ROWS * CELL, COLUMNS * CELL, 3), 255, np.uint8)
    for number, image in enumerate(images):
        factor = CELL / max(image.shape[:2])
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        top, left = number // COLUMNS * CELL, number % COLUMNS * CELL
        sheet[top : top + size[1], left : left + size[0]] = small
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    folders = list_pictures(chosen.pictures), list_pictures(chosen.photos)
    sheet = contact_sheet(*folders, strength=chosen.strength, seed=chosen.seed)
    if not cv2.imwrite(str(chosen.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise SystemExit(f"{chosen.out} cannot be written")


if __name__ == "__main__":
    main()
