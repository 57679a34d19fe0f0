"""What happens to a picture on its way into a simulated photo, as numbers that chance has chosen.

`simulate` follows a recipe with OpenCV, one photo after the other, `photograph` with PyTorch, many at once: what
photos look like is said here, once. `strength` in [0, 1] scales everything, so that training may begin gently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from engine.values import FloatArray
from training.simulation.warp import Warp, random_warp

LONGEST = 720
"""Pixels of a photo's longer side, at most."""


@dataclass(frozen=True)
class Background:
    """ends: (2, 3) colours of a plain gradient from left to right, or None: then the first of the other pictures
    fills the frame, the next lie in `pieces` (x, y, width, height). blur: sigma, 0 for none."""

    ends: FloatArray | None
    pieces: tuple[tuple[int, int, int, int], ...] = ()
    blur: float = 0.0


@dataclass(frozen=True)
class Cover:
    """Something in front of the picture. ellipses: (x, y, half width, half height, degrees); colour: (3,) uint8, or
    None where the last of the other pictures shows in them."""

    ellipses: tuple[tuple[int, int, int, int, float], ...]
    colour: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class Light:
    """How the scene is lit, in the order in which it is applied. Places are in coordinates of -0.5 to 0.5 across and
    down the photo; an effect that is None is not there."""

    gradient: tuple[float, float] | None
    """Direction in which it grows brighter, and by how much."""
    shadow: tuple[float, float, float, float] | None
    """Direction, offset and steepness of a shadow's edge, and the share of light that it takes."""
    glare: tuple[float, float, float, float, float] | None
    """A bright spot: x, y, width, height, and the grey levels that it adds."""
    reflection: tuple[float, float, float] | None
    """The first of the other pictures, mirrored: sigma of its blur, the grey level from which it shows, its gain."""
    cast: FloatArray
    """(3,) factors of the colours."""
    gamma: float
    """Exponent of the brightness, 0 to 1."""
    contrast: float
    """Factor of the distance to grey level 128."""
    level: float
    """Grey levels that are added last."""


@dataclass(frozen=True, kw_only=True)
class Lens:
    """What the camera does to the light that it gets, in the order in which it is applied; None or 0 for what it does
    not."""

    moire: FloatArray | None
    """(3, 3): a wave for each channel, by its direction, wave number and phase."""
    blur: float
    """Sigma of the defocus, in pixels."""
    motion: tuple[int, float] | None
    """Length in pixels and direction in degrees of the camera's movement."""
    enlarged: float | None
    """The photo was this share of its size before it was brought to size."""
    noise: float
    """Sigma of the sensor's noise, in grey levels."""


@dataclass(frozen=True, kw_only=True)
class Finish:
    """What phones make of the image that their sensor gives."""

    grain: float
    """Sigma by which the noise is blurred, 0 for noise of single pixels."""
    smoothing: Literal["median", "bilateral"] | None
    """The filter against the noise."""
    sharpening: tuple[float, float] | None
    """Amount and sigma of an unsharp mask."""
    quality: int
    """JPEG's, 1 to 100."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides how a photo looks, but the noise itself and the finish."""

    size: tuple[int, int]
    """The photo's width and height."""
    warp: Warp
    """Where the photo shows the picture."""
    background: Background
    """What lies behind the picture."""
    cover: Cover | None
    """What lies in front of it."""
    light: Light
    lens: Lens


def draw_size(rng: np.random.Generator, strength: float) -> tuple[int, int]:
    """Width and height of a photo, the longer side 320 to 720 pixels."""
    long_side = int(rng.uniform(LONGEST - 400 * strength, LONGEST))
    size = (long_side, int(long_side * rng.uniform(0.6, 1)))
    return (size[1], size[0]) if rng.random() < 0.5 else size


def draw_recipe(
    rng: np.random.Generator,
    *,
    picture_size: tuple[int, int],
    size: tuple[int, int],
    others: int,
    strength: float,
    uneven: bool = True,
) -> Recipe:
    """A recipe for a photo of `size` of a picture of `picture_size` (both width, height), with so many others at
    hand. uneven: its paper may have waves and folds."""
    warp = random_warp(rng, picture_size=picture_size, photo_size=size, strength=strength, uneven=uneven)
    background = draw_background(rng, others, size)
    cover = _draw_cover(rng, others, size) if rng.random() < 0.3 * strength else None
    light = _draw_light(rng, others, strength)
    return Recipe(size=size, warp=warp, background=background, cover=cover, light=light, lens=_draw_lens(rng, strength))


def draw_batch(
    rng: np.random.Generator,
    picture_sizes: Sequence[tuple[int, int]],
    strengths: Sequence[float],
    *,
    size: tuple[int, int],
    others: int,
) -> tuple[list[Recipe], list[Finish]]:
    """A recipe and a finish for each of several photos of one size."""
    recipes, finishes = [], []
    for picture_size, strength in zip(picture_sizes, strengths, strict=True):
        recipes.append(draw_recipe(rng, picture_size=picture_size, size=size, others=others, strength=strength))
        finishes.append(draw_finish(rng, strength))
    return recipes, finishes


def draw_background(rng: np.random.Generator, others: int, size: tuple[int, int]) -> Background:
    """A plain gradient, or pieces of other pictures, often blurred."""
    width, height = size
    if rng.random() < 0.25 or not others:
        return Background(rng.uniform(0, 255, (2, 3)))
    pieces = []
    for _ in range(others - 1):
        w, h = int(rng.uniform(0.2, 0.6) * width), int(rng.uniform(0.2, 0.6) * height)
        pieces.append((int(rng.integers(0, width - w)), int(rng.integers(0, height - h)), w, h))
    return Background(None, tuple(pieces), rng.uniform(0.5, 6) if rng.random() < 0.6 else 0.0)


def _draw_cover(rng: np.random.Generator, others: int, size: tuple[int, int]) -> Cover:
    width, height = size
    ellipses = []
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        across, down = int(rng.uniform(0.03, 0.15) * width), int(rng.uniform(0.05, 0.25) * height)
        ellipses.append((x, y, across, down, float(rng.uniform(0, 180))))
    if others and rng.random() < 0.5:
        return Cover(tuple(ellipses), None)
    skin = rng.uniform([120, 70, 50], [250, 200, 180]).astype(np.uint8)  # something like a hand
    return Cover(tuple(ellipses), skin)


def _draw_light(rng: np.random.Generator, others: int, strength: float) -> Light:
    gradient = shadow = glare = reflection = None
    if rng.random() < 0.6:
        gradient = (rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.9) * strength)
    if rng.random() < 0.3 * strength:
        shadow = (rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3), rng.uniform(5, 60), rng.uniform(0.2, 0.6))
    if rng.random() < 0.35 * strength:
        (x, y), (width, height) = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.03, 0.3, 2)
        glare = (x, y, width, height, rng.uniform(60, 230))
    if others and rng.random() < 0.2 * strength:  # a bright room in a film or a varnish
        reflection = (rng.uniform(1, 8), rng.uniform(80, 200), rng.uniform(0.5, 1.5))
    return Light(
        gradient=gradient,
        shadow=shadow,
        glare=glare,
        reflection=reflection,
        cast=(1 + strength * rng.normal(0, 0.12, 3)).astype(np.float32),
        gamma=np.exp(rng.normal(0, 0.3 * strength)),
        contrast=rng.uniform(1 - 0.6 * strength, 1.2),
        level=rng.uniform(-40, 50) * strength,
    )


def _draw_lens(rng: np.random.Generator, strength: float) -> Lens:
    moire, motion, blur = None, None, 0.0
    if rng.random() < 0.1 * strength:  # two fine waves beat (pattern as in PIMoG, Fang et al. 2022)
        moire = np.array([[rng.uniform(0, np.pi), rng.uniform(0.2, 1.5), rng.uniform(0, 6)] for _ in range(3)])
    kind = rng.random()
    if kind < 0.35:
        blur = 0.3 + rng.uniform(0, 2.2) * strength
    elif kind < 0.55:
        motion = (2 + int(rng.uniform(0, 10) * strength), rng.uniform(0, 180))
    enlarged = rng.uniform(0.35, 0.9) if rng.random() < 0.25 * strength else None
    return Lens(moire=moire, blur=blur, motion=motion, enlarged=enlarged, noise=abs(rng.normal(0, 7)) * strength)


def draw_finish(rng: np.random.Generator, strength: float) -> Finish:
    """What a phone does to the photo that it has taken."""
    # A sensor's noise is coarser than a pixel once its colours are interpolated.
    grain = rng.uniform(0.4, 1) if rng.random() < 0.4 else 0.0
    smoothing: Literal["median", "bilateral"] | None = None
    if rng.random() < 0.25 * strength:  # phones smooth the noise away, and small print with it
        smoothing = "median" if rng.random() < 0.5 else "bilateral"
    sharpening = (rng.uniform(0.3, 1.5), rng.uniform(0.8, 2.5)) if rng.random() < 0.3 else None
    quality = int(rng.uniform(95 - 65 * strength, 96))
    return Finish(grain=grain, smoothing=smoothing, sharpening=sharpening, quality=quality)


def motion_kernel(length: int, degrees: float) -> FloatArray:
    """(length, length) float32: a line through the middle, its sum 1."""
    kernel: FloatArray = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), degrees, 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    line: FloatArray = kernel / max(kernel.sum(), 1e-6)
    return line
