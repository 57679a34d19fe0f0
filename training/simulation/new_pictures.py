"""New pictures from old ones: cuttings, collages, overprints, other colours.

Fifteen thousand pictures hold few look-alikes. A variant with another text on it, in other colours or mirrored is a
picture of its own, whose patches near the change are hard negatives of the original's.
"""

from __future__ import annotations

import cv2
import numpy as np

from engine.values import ColorImage

_LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,&-%!"))
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
SMALLEST = 160
"""Pixels that a cutting's shorter side has at least: below, it would hold no keypoints worth learning."""


def new_picture(picture: ColorImage, others: list[ColorImage], rng: np.random.Generator) -> ColorImage:
    """A picture that did not exist: a cutting of `picture` or a collage with `others`, often overprinted or
    in other colours; (H, W, 3) uint8, at most as large as `picture`, which stays as it is."""
    made = cutting(picture, rng) if rng.random() < 0.5 else collage([picture, *others], rng)
    return look_alike(made, rng) if rng.random() < 0.5 else made


def look_alike(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """`picture` with a text or a shape on it that it did not have, in other colours, or mirrored; a copy."""
    kind = rng.random()
    if kind < 0.6:
        return overprint(picture, rng)
    if kind < 0.85:
        return other_colours(picture, rng)
    return np.ascontiguousarray(picture[:, ::-1])


def cutting(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """A rectangle of the picture, 0.35 to 0.9 of each side; all of it where it is small."""
    size = np.array(picture.shape[:2])
    height, width = np.minimum(size, np.maximum(SMALLEST, size * rng.uniform(0.35, 0.9, 2))).astype(int)
    top, left = rng.integers(0, size[0] - height + 1), rng.integers(0, size[1] - width + 1)
    return picture[top : top + height, left : left + width].copy()


def collage(pictures: list[ColorImage], rng: np.random.Generator) -> ColorImage:
    """Two to four cuttings in a grid of 2x1, 1x2 or 2x2 cells, as large as the first picture."""
    height, width = pictures[0].shape[:2]
    rows, columns = ((1, 2), (2, 1), (2, 2))[int(rng.integers(3))]
    canvas = np.empty_like(pictures[0])
    down = np.linspace(0, height, rows + 1).astype(int)
    across = np.linspace(0, width, columns + 1).astype(int)
    for row in range(rows):
        for column in range(columns):
            piece = cutting(pictures[(row * columns + column) % len(pictures)], rng)
            cell = canvas[down[row] : down[row + 1], across[column] : across[column + 1]]
            cell[:] = cv2.resize(piece, (cell.shape[1], cell.shape[0]), interpolation=cv2.INTER_AREA)
    return canvas


def overprint(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """One to five lines of made-up text, each perhaps on a plate of plain colour."""
    printed = picture.copy()
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(1, 6))):
        text = "".join(rng.choice(_LETTERS, int(rng.integers(2, 16))))
        font = _FONTS[int(rng.integers(len(_FONTS)))]
        scale, weight = float(rng.uniform(0.5, 3) * max(height, width) / 640), int(rng.integers(1, 5))
        (across, up), below = cv2.getTextSize(text, font, scale, weight)
        x, y = int(rng.uniform(-0.1, 0.8) * width), int(rng.uniform(0.1, 1) * height)
        plate, ink = (tuple(map(int, colour)) for colour in rng.integers(0, 256, (2, 3)))
        if rng.random() < 0.5:
            cv2.rectangle(printed, (x - 4, y - up - 4), (x + across + 4, y + below + 4), plate, -1)
        cv2.putText(printed, text, (x, y), font, scale, ink, weight, cv2.LINE_AA)
    return printed


def other_colours(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """The picture's channels exchanged, some of them inverted."""
    changed = picture[..., rng.permutation(3)].copy()
    inverted = rng.random(3) < 0.4
    changed[..., inverted] = 255 - changed[..., inverted]
    return changed
