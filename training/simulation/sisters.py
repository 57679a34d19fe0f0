"""Sisters of a picture: another print of the same series.

What tells editions, flavours and cards of one series apart is set anew here: a line of text, an inset within a shared
frame, one hue, an emblem. All else stays as it is, to the pixel, so that where the two differ is known.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from engine.values import ColorImage, FloatArray
from training.simulation.new_pictures import other_colours, overprint

_SEAM = 3.0
"""Largest sigma, pixels, by which an inset's border is softened."""


def sister(picture: ColorImage, others: list[ColorImage], rng: np.random.Generator) -> ColorImage:
    """Another print of the series of `picture` ((H, W, 3) uint8, which stays as it is), the same size; one to three
    things are other ones. `others`: at least one picture to take insets and emblems from."""
    made = picture.copy()
    for _ in range(int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))):
        drawn = rng.random()
        made = KINDS[next(kind for kind, below in _CHANCES if drawn < below)](made, others, rng)
    return made


def _window(shape: tuple[int, ...], rng: np.random.Generator, share: float) -> tuple[slice, slice]:
    """Rows and columns of a part that has `share` of each side, about; large ones lie in the middle."""
    height, width = shape[:2]
    h, w = (int(np.clip(side * share * rng.uniform(0.8, 1.2), 12, side * 0.97)) for side in (height, width))
    middle = rng.random() < 0.6 or share > 0.6
    top = int((height - h) * (rng.uniform(0.3, 0.7) if middle else rng.uniform(0, 1)))
    left = int((width - w) * (rng.uniform(0.3, 0.7) if middle else rng.uniform(0, 1)))
    return slice(top, top + h), slice(left, left + w)


def _soft(shape: tuple[int, ...], part: tuple[slice, slice], rng: np.random.Generator) -> FloatArray:
    """(H, W, 1) weight of the part, a rectangle or an ellipse, often with a soft border."""
    mask: FloatArray = np.zeros(shape[:2], np.float32)
    rows, columns = part
    if rng.random() < 0.65:
        mask[part] = 1
    else:
        centre = (columns.start + columns.stop) // 2, (rows.start + rows.stop) // 2
        half = (columns.stop - columns.start) // 2, (rows.stop - rows.start) // 2
        cv2.ellipse(mask, centre, half, 0, 0, 360, 1.0, -1)
    if rng.random() < 0.6:
        mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, _SEAM)))
    return mask[..., None]


def _blend(one: ColorImage, other: ColorImage, weight: FloatArray) -> ColorImage:
    return np.asarray(np.rint(one * (1 - weight) + other * weight), np.uint8)


def _within(picture: ColorImage, changed: ColorImage, rng: np.random.Generator, *, share: float) -> ColorImage:
    part = _window(picture.shape, rng, share)
    return _blend(picture, changed, _soft(picture.shape, part, rng))


def _inset(picture: ColorImage, other: ColorImage, rng: np.random.Generator, *, share: float) -> ColorImage:
    """Another picture inside the same frame."""
    part = _window(picture.shape, rng, share)
    laid = picture.copy()
    rows, columns = part
    height, width = rows.stop - rows.start, columns.stop - columns.start
    top = int(rng.integers(0, max(1, other.shape[0] - min(other.shape[0], height) + 1)))
    left = int(rng.integers(0, max(1, other.shape[1] - min(other.shape[1], width) + 1)))
    piece = other if rng.random() < 0.5 else other[top : top + height, left : left + width]
    laid[part] = cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:  # in the series' own colours
        laid[part] = _recoloured(laid[part], picture[part])
    return _blend(picture, laid, _soft(picture.shape, part, rng))


def _recoloured(image: ColorImage, like: ColorImage) -> ColorImage:
    ours, theirs = (np.asarray(cv2.cvtColor(i, cv2.COLOR_RGB2LAB), np.float32) for i in (image, like))
    moved = (ours - ours.mean((0, 1))) / (ours.std((0, 1)) + 1) * (theirs.std((0, 1)) + 1) + theirs.mean((0, 1))
    clipped = np.clip(moved, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(clipped, cv2.COLOR_LAB2RGB), np.uint8)


def _moved(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """An emblem of the picture, once more in another place, there perhaps larger or smaller."""
    part = _window(picture.shape, rng, rng.uniform(0.1, 0.3))
    emblem = picture[part]
    factor = rng.uniform(0.6, 1.5)
    size = [int(np.clip(side * factor, 8, limit)) for side, limit in zip(emblem.shape, picture.shape[:2], strict=False)]
    emblem = cv2.resize(emblem, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    top, left = (int(rng.integers(0, picture.shape[k] - size[k] + 1)) for k in (0, 1))
    there = slice(top, top + size[0]), slice(left, left + size[1])
    laid = picture.copy()
    laid[there] = emblem
    return _blend(picture, laid, _soft(picture.shape, there, rng))


def _removed(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """A part of the print is not there: its ground goes on, as on a slide before the next line appears."""
    part = _window(picture.shape, rng, rng.uniform(0.12, 0.7))
    edge = np.concatenate([picture[part][0], picture[part][-1], picture[part][:, 0], picture[part][:, -1]])
    laid = picture.copy()
    # The border's lightest, darkest or middle colour: whatever the print lies on.
    laid[part] = edge[np.argsort(edge.sum(1))][int(len(edge) * rng.choice([0.1, 0.5, 0.9]))]
    return _blend(picture, laid, _soft(picture.shape, part, rng))


def _turned_hue(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """One hue of the picture is another one."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hue = hsv[..., 0].astype(np.int64)
    drawn = hsv[..., 1] > 60
    if drawn.mean() < 0.03:
        return _within(picture, other_colours(picture, rng), rng, share=0.4)
    chosen = int(rng.choice(hue[drawn]))
    apart = np.abs((hue - chosen + 90) % 180 - 90)
    near = (apart < rng.integers(8, 25)) & drawn
    hsv[..., 0] = np.where(near, (hue + int(rng.integers(25, 156))) % 180, hue).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _set_anew(picture: ColorImage, rng: np.random.Generator) -> ColorImage:
    """A strip of the picture, as a line of print is, with its parts in another order."""
    height, width = picture.shape[:2]
    rows = slice(top := int(rng.uniform(0, 0.85) * height), top + max(8, int(rng.uniform(0.05, 0.15) * height)))
    columns = slice(left := int(rng.uniform(0, 0.4) * width), left + max(16, int(rng.uniform(0.3, 0.6) * width)))
    changed = picture.copy()
    strip = picture[rows, columns]
    parts = np.array_split(np.arange(strip.shape[1]), int(rng.integers(3, 9)))
    changed[rows, columns] = strip[:, np.concatenate([parts[k] for k in rng.permutation(len(parts))])]
    return changed


def _large_inset(picture: ColorImage, others: list[ColorImage], rng: np.random.Generator) -> ColorImage:
    return _inset(picture, others[int(rng.integers(len(others)))], rng, share=rng.uniform(0.45, 0.92))


def _small_inset(picture: ColorImage, others: list[ColorImage], rng: np.random.Generator) -> ColorImage:
    return _inset(picture, others[int(rng.integers(len(others)))], rng, share=rng.uniform(0.08, 0.3))


def _other_colours(picture: ColorImage, _others: list[ColorImage], rng: np.random.Generator) -> ColorImage:
    return _within(picture, other_colours(picture, rng), rng, share=rng.uniform(0.2, 1.0))


KINDS: dict[str, Callable[[ColorImage, list[ColorImage], np.random.Generator], ColorImage]] = {
    "large inset": _large_inset,
    "small inset": _small_inset,
    "words": lambda picture, _others, rng: overprint(picture, rng),
    "emblem": lambda picture, _others, rng: _moved(picture, rng),
    "part removed": lambda picture, _others, rng: _removed(picture, rng),
    "hue": lambda picture, _others, rng: _turned_hue(picture, rng),
    "line set anew": lambda picture, _others, rng: _set_anew(picture, rng),
    "colours": _other_colours,
}
"""What may be another thing in a sister, one each."""
_CHANCES = (
    ("large inset", 0.25),
    ("small inset", 0.42),
    ("words", 0.55),
    ("emblem", 0.64),
    ("part removed", 0.78),
    ("hue", 0.9),
    ("line set anew", 0.95),
    ("colours", 1.0),
)
"""Kinds, and the chance that one of them or of those before it is drawn."""
