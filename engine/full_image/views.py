"""Views of a photo that a full-image model is shown: the picture sought may fill a part of the photo or lie turned.

Written as text, in a model's card or in its settings:

    whole               the photo as it is
    centre 0.7          the middle 0.7 of its width and height
    grid 2x3 0.6        2 rows and 3 columns of windows, each 0.6 of its width and height, spread evenly
    rotate 90/180/270   turned clockwise by each of the angles
    flip                mirrored, left to right
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from engine.values import ColorImage

GRAMMAR = "whole, centre SHARE, grid ROWSxCOLUMNS SHARE, rotate 90/180/270, flip"
MOST_WINDOWS = 64
"""Most views of one grid: each costs a whole inference."""


@dataclass(frozen=True, kw_only=True)
class View:
    """left, top: of the window, as shares of the space beside it and above it, 0 to 1; share: of the photo's width
    and height; turns: quarter turns, clockwise; mirrored: left to right."""

    left: float = 0.5
    top: float = 0.5
    share: float = 1.0
    turns: int = 0
    mirrored: bool = False

    def of(self, image: ColorImage) -> ColorImage:
        """(h, w, 3) uint8: what this view shows of an image (H, W, 3); one pixel at least."""
        height, width = image.shape[:2]
        h, w = max(1, round(height * self.share)), max(1, round(width * self.share))
        y, x = round((height - h) * self.top), round((width - w) * self.left)
        window = np.rot90(image[y : y + h, x : x + w], -self.turns)
        return np.ascontiguousarray(window[:, ::-1] if self.mirrored else window)


def parse_views(texts: tuple[str, ...]) -> tuple[View, ...]:
    """All views that the texts name, in their order. Raises ValueError for what the grammar does not know."""
    if not texts:
        raise ValueError(f"no view is named; known are {GRAMMAR}")
    return tuple(view for text in texts for view in _parse(text))


def _parse(text: str) -> list[View]:
    match text.split():
        case ["whole"]:
            return [View()]
        case ["flip"]:
            return [View(mirrored=True)]
        case ["centre", share]:
            return [View(share=_share(share, text))]
        case ["grid", cells, share] if found := re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", cells):
            return _grid(int(found[1]), int(found[2]), _share(share, text), text)
        case ["rotate", angles] if set(chosen := angles.split("/")) <= {"90", "180", "270"}:
            return [View(turns=int(angle) // 90) for angle in chosen]
    raise ValueError(f"no view is named {text!r}; known are {GRAMMAR}")


def _share(text: str, view: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ValueError(f"the share of view {view!r} must be a number between 0 and 1")
    return share


def _grid(rows: int, columns: int, share: float, view: str) -> list[View]:
    if rows * columns > MOST_WINDOWS:
        raise ValueError(f"view {view!r} has {rows * columns} windows; at most {MOST_WINDOWS}")
    return [View(left=x, top=y, share=share) for y in _spread(rows) for x in _spread(columns)]


def _spread(count: int) -> list[float]:
    """0 to 1 in even steps; the middle where there is but one."""
    return [0.5] if count == 1 else [number / (count - 1) for number in range(count)]
