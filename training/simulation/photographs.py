"""Photographs by simulation: a flat picture on a cluttered background, as a phone would see it.

`simulate` follows a recipe with OpenCV: the geometry (tilt, rotation, distance, crop, a curved, folded or wavy
surface), things in front of the picture, the light (gradient, glare, reflections, shadow, colour cast, low light), and
the camera (lost resolution, blur, noise and what phones do against it, moire, JPEG).
"""

from __future__ import annotations

import cv2
import numpy as np

from engine.values import ColorImage, FloatArray
from training.simulation.recipe import (
    Background,
    Cover,
    Finish,
    Lens,
    Light,
    Recipe,
    draw_background,
    draw_finish,
    draw_recipe,
    draw_size,
    motion_kernel,
)
from training.simulation.warp import Warp


def sources(warp: Warp, size: tuple[int, int]) -> FloatArray:
    """(H, W, 2): the pixel of the picture that each pixel of a photo of `size` (width, height) shows; NaN for none."""
    width, height = size
    axes = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    return warp.photo_to_picture(grid).reshape(height, width, 2)


def render(picture: ColorImage, background: ColorImage, warp: Warp, source: FloatArray | None = None) -> ColorImage:
    """The picture, seen through `warp`, in front of `background` (whose size is the photo's). source: what `sources`
    gives for the two, where it is known already."""
    if source is None:
        source = sources(warp, (background.shape[1], background.shape[0]))
    # A picture seen small is shrunk first, so that it does not alias.
    steps = np.abs(np.diff(source[::8], axis=1)[:, ::8]).max(-1)
    spread = float(np.median(steps[np.isfinite(steps)])) if np.isfinite(steps).any() else 0.0
    if spread > 1.3:
        factor = max(1 / spread, 8 / min(picture.shape[:2]))
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        source = (source + 0.5) * np.array(
            [picture.shape[1] / warp.size[0], picture.shape[0] / warp.size[1]], np.float32
        ) - 0.5
    x, y = (np.ascontiguousarray(a, np.float32) for a in np.moveaxis(np.nan_to_num(source, nan=-10.0), -1, 0))
    seen = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    mask = cv2.remap(np.full(picture.shape[:2], 255, np.uint8), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    weight = mask[..., None].astype(np.float32) / 255
    blended: FloatArray = seen * weight + background * (1 - weight)
    return blended.astype(np.uint8)


def clutter(rng: np.random.Generator, others: list[ColorImage], size: tuple[int, int]) -> ColorImage:
    """A background of `size` (width, height): a plain gradient or pieces of other pictures, often blurred."""
    return _background(draw_background(rng, len(others), size), others, size)


def _background(drawn: Background, others: list[ColorImage], size: tuple[int, int]) -> ColorImage:
    width, height = size
    if drawn.ends is not None:
        ramp = np.linspace(0, 1, width)[None, :, None]
        plain = drawn.ends[0] * (1 - ramp) + drawn.ends[1] * ramp
        return np.broadcast_to(plain, (height, width, 3)).astype(np.uint8).copy()
    canvas = cv2.resize(others[0], size, interpolation=cv2.INTER_LINEAR)
    for other, (x, y, w, h) in zip(others[1:], drawn.pieces, strict=True):
        canvas[y : y + h, x : x + w] = cv2.resize(other, (w, h), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(canvas, (0, 0), drawn.blur) if drawn.blur else canvas


def _occlude(cover: Cover, image: ColorImage, others: list[ColorImage]) -> ColorImage:
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for x, y, across, down, degrees in cover.ellipses:
        cv2.ellipse(mask, (x, y), (across, down), degrees, 0, 360, 255, -1)
    seen = cv2.resize(others[-1], (width, height)) if cover.colour is None else np.full_like(image, cover.colour)
    return np.where(mask[..., None] > 0, seen, image)


def _lit(light: Light, image: FloatArray, others: list[ColorImage]) -> FloatArray:
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    if light.gradient is not None:
        angle, amount = light.gradient
        image = image * (1 + amount * (np.cos(angle) * x + np.sin(angle) * y))[..., None]
    if light.shadow is not None:
        angle, offset, steepness, loss = light.shadow
        edge = np.clip((np.cos(angle) * x + np.sin(angle) * y - offset) * steepness, 0, 1)
        image = image * (1 - loss * edge)[..., None]
    if light.glare is not None:
        cx, cy, sx, sy, amount = light.glare
        blob = np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)
        image = image + amount * blob[..., None]
    if light.reflection is not None:
        sigma, dark, gain = light.reflection
        room: FloatArray = cv2.resize(others[0][:, ::-1], (width, height)).astype(np.float32)
        room = cv2.GaussianBlur(room, (0, 0), sigma)
        bright: FloatArray = np.maximum(room - dark, 0) * gain
        image = image + bright
    image = 255 * np.clip(image * light.cast / 255, 0, 1) ** light.gamma
    return np.clip((image - 128) * light.contrast + 128 + light.level, 0, 255).astype(np.float32)


def _taken(lens: Lens, image: FloatArray) -> FloatArray:
    height, width = image.shape[:2]
    if lens.moire is not None:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        for channel, (angle, number, phase) in enumerate(lens.moire):
            image[..., channel] += 18 * np.cos(number * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    if lens.blur:
        image = cv2.GaussianBlur(image, (0, 0), lens.blur)
    if lens.motion is not None:
        image = cv2.filter2D(image, -1, motion_kernel(*lens.motion))
    if lens.enlarged is not None:  # a small part of a large photo
        fewer: FloatArray = cv2.resize(image, None, fx=lens.enlarged, fy=lens.enlarged, interpolation=cv2.INTER_AREA)
        image = cv2.resize(fewer, (width, height), interpolation=cv2.INTER_CUBIC)
    return image


def develop(finish: Finish, image: FloatArray, noise: FloatArray) -> ColorImage:
    """What the phone makes of the image that was painted, with its noise (both (H, W, 3) float32)."""
    if finish.grain:
        noise = cv2.GaussianBlur(noise, (0, 0), finish.grain) * 2
    taken = np.clip(image + noise, 0, 255).astype(np.uint8)
    if finish.smoothing == "median":
        taken = cv2.medianBlur(taken, 3)
    elif finish.smoothing == "bilateral":
        taken = cv2.bilateralFilter(taken, 5, 30, 2)
    if finish.sharpening is not None:
        amount, sigma = finish.sharpening
        taken = cv2.addWeighted(taken, 1 + amount, cv2.GaussianBlur(taken, (0, 0), sigma), -amount, 0)
    encoded = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, finish.quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def paint(
    recipe: Recipe, picture: ColorImage, others: list[ColorImage], source: FloatArray | None = None
) -> FloatArray:
    """The photo before its noise, (H, W, 3) float32. source: as in `render`."""
    image = render(picture, _background(recipe.background, others, recipe.size), recipe.warp, source)
    if recipe.cover is not None:
        image = _occlude(recipe.cover, image, others)
    return _taken(recipe.lens, _lit(recipe.light, image.astype(np.float32), others))


def simulate(
    picture: ColorImage,
    others: list[ColorImage],
    rng: np.random.Generator,
    *,
    strength: float = 1.0,
    uneven: bool = True,
) -> tuple[ColorImage, Warp]:
    """A photo of `picture` (H, W, 3 uint8) among `others`, 320-720 pixels long, and where it lies in it. uneven: its
    paper may have waves and folds."""
    photos, warp = simulate_each([picture], others, rng, strength=strength, uneven=uneven)
    return photos[0], warp


def simulate_each(
    pictures: list[ColorImage],
    others: list[ColorImage],
    rng: np.random.Generator,
    *,
    strength: float = 1.0,
    uneven: bool = True,
) -> tuple[list[ColorImage], Warp]:
    """The same photo of each of several pictures of one size, to the grain of its noise, as if one were laid in the
    place of the other."""
    height, width = pictures[0].shape[:2]
    size = draw_size(rng, strength)
    recipe = draw_recipe(
        rng, picture_size=(width, height), size=size, others=len(others), strength=strength, uneven=uneven
    )
    noise: FloatArray = rng.standard_normal((size[1], size[0], 3), np.float32) * np.float32(recipe.lens.noise)
    finish, source = draw_finish(rng, strength), sources(recipe.warp, size)
    return [develop(finish, paint(recipe, picture, others, source), noise) for picture in pictures], recipe.warp
