"""Photographs by simulation: a flat picture on a cluttered background, as a phone would see it.

`simulate` composes the geometry (tilt, rotation, distance, crop, a curved, folded or wavy surface), the light
(gradient, glare, reflections, shadow, colour cast, low light), things in front of the picture, and the camera
(lost resolution, blur, noise and what phones do against it, moire, JPEG). `strength` in [0, 1] scales all of them,
so that training may begin gently.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.values import ColorImage, FloatArray


@dataclass(frozen=True)
class Warp:
    """Where each photo pixel comes from in the picture.

    H_photo_to_plane maps photo pixels to the flat, visible face, [-1, 1] in both axes; `bend` is half the
    angle that a curved picture wraps around a vertical cylinder (0: flat); `waves`: rows of (direction, wave
    number, phase, amplitude), each a ripple of the paper in plane coordinates, and `folds`: rows of (direction,
    offset, lost share), straight creases behind which the paper leans away; `size` is (width, height).
    """

    H_photo_to_plane: NDArray[np.float64]
    bend: float
    size: tuple[int, int]
    waves: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    folds: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))

    @property
    def flat(self) -> bool:
        """Whether a homography says all."""
        return self.bend == 0 and not len(self.waves) and not len(self.folds)

    def photo_to_picture(self, xy: FloatArray) -> FloatArray:
        """(N, 2) photo pixels to picture pixels; NaN where a curved face is not visible."""
        H = self.H_photo_to_plane.astype(np.float32)
        depth = xy @ H[2, :2] + H[2, 2]
        plane = (xy @ H[:2, :2].T + H[:2, 2]) / np.where(depth <= 1e-9, np.nan, depth)[:, None]
        if self.bend > 0:
            with np.errstate(invalid="ignore"):
                plane[:, 0] = np.arcsin(plane[:, 0] * np.sin(self.bend)) / self.bend
        for direction, number, phase, amplitude in self.waves.astype(np.float32):
            along = np.array([np.cos(direction), np.sin(direction)], np.float32)
            plane = plane + amplitude * np.sin(number * (plane @ along) + phase)[:, None] * along
        for direction, offset, lost in self.folds.astype(np.float32):
            along = np.array([np.cos(direction), np.sin(direction)], np.float32)
            plane = plane + lost * np.maximum(0, plane @ along - offset)[:, None] * along
        width, height = self.size
        return (plane + 1) * np.array([width / 2, height / 2], np.float32) - 0.5


def random_warp(
    rng: np.random.Generator,
    *,
    picture_size: tuple[int, int],
    photo_size: tuple[int, int],
    strength: float,
    uneven: bool = True,
) -> Warp:
    """Picture at 18-110 % of the frame, tilt up to 50 degrees, all in-plane angles (small ones most). uneven: its
    paper may have waves and folds."""
    width, height = picture_size
    tilt = np.deg2rad(rng.uniform(0, 50 * strength))
    axis = rng.uniform(0, 2 * np.pi)
    roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.2 * strength else np.deg2rad(rng.normal(0, 10))
    direction = np.array([np.cos(axis), np.sin(axis), 0.0])
    rotation = cv2.Rodrigues(direction * tilt)[0] @ cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0]
    half = np.array([width, height]) / max(width, height)
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * np.array([*half, 1])
    seen = corners @ rotation.T
    distance = rng.uniform(2.2, 6)
    seen = seen[:, :2] * (distance / (distance + seen[:, 2:]))
    extent = (seen.max(0) - seen.min(0)) / np.array(photo_size)
    share = rng.uniform(0.18, 1.1) if rng.random() < strength else rng.uniform(0.6, 1.0)
    seen = (seen - (seen.max(0) + seen.min(0)) / 2) * (share / extent.max())
    slack = np.maximum(0, np.array(photo_size) - (seen.max(0) - seen.min(0))) / 2
    shift = rng.uniform(-1, 1, 2) * (slack + 0.1 * np.array(photo_size) * strength)
    seen = seen + np.array(photo_size) / 2 + shift
    plane = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    bend = float(rng.uniform(0.3, 1.2)) if rng.random() < 0.15 * strength else 0.0
    H = np.asarray(cv2.getPerspectiveTransform(seen.astype(np.float32), plane), np.float64)
    waves, folds = np.zeros((0, 4)), np.zeros((0, 3))
    if uneven and rng.random() < 0.25 * strength:
        count = int(rng.integers(1, 4))
        number = rng.uniform(1, 6, count)
        # A ripple of wave number k may not fold the plane over itself: k times its amplitude stays far below 1.
        amplitude = rng.uniform(0, 0.12, count) / number
        waves = np.c_[rng.uniform(0, np.pi, count), number, rng.uniform(0, 2 * np.pi, count), amplitude]
    if uneven and rng.random() < 0.15 * strength:
        count = int(rng.integers(1, 3))
        folds = np.c_[rng.uniform(0, 2 * np.pi, count), rng.uniform(-0.5, 0.5, count), rng.uniform(0, 0.4, count)]
    return Warp(H, bend, picture_size, waves, folds)


def render(picture: ColorImage, background: ColorImage, warp: Warp) -> ColorImage:
    """The picture, seen through `warp`, in front of `background` (whose size is the photo's)."""
    height, width = background.shape[:2]
    axes = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    source = warp.photo_to_picture(grid).reshape(height, width, 2)
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
    width, height = size
    if rng.random() < 0.25 or not others:
        ends = rng.uniform(0, 255, (2, 3))
        ramp = np.linspace(0, 1, width)[None, :, None]
        plain = ends[0] * (1 - ramp) + ends[1] * ramp
        return np.broadcast_to(plain, (height, width, 3)).astype(np.uint8).copy()
    canvas = cv2.resize(others[0], size, interpolation=cv2.INTER_LINEAR)
    for other in others[1:]:
        w, h = int(rng.uniform(0.2, 0.6) * width), int(rng.uniform(0.2, 0.6) * height)
        x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
        canvas[y : y + h, x : x + w] = cv2.resize(other, (w, h), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.6:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 6))
    return canvas


def _light(rng: np.random.Generator, image: FloatArray, others: list[ColorImage], strength: float) -> FloatArray:
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        image = image * (1 + rng.uniform(0, 0.9) * strength * (np.cos(angle) * x + np.sin(angle) * y))[..., None]
    if rng.random() < 0.3 * strength:  # a shadow's edge
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        edge = np.clip((np.cos(angle) * x + np.sin(angle) * y - offset) * rng.uniform(5, 60), 0, 1)
        image = image * (1 - rng.uniform(0.2, 0.6) * edge)[..., None]
    if rng.random() < 0.35 * strength:  # glare
        cx, cy = rng.uniform(-0.5, 0.5, 2)
        sx, sy = rng.uniform(0.03, 0.3, 2)
        blob = np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)
        image = image + rng.uniform(60, 230) * blob[..., None]
    if others and rng.random() < 0.2 * strength:  # a bright room in a film or a varnish
        room: FloatArray = cv2.resize(others[0][:, ::-1], (width, height)).astype(np.float32)
        room = cv2.GaussianBlur(room, (0, 0), rng.uniform(1, 8))
        bright: FloatArray = np.maximum(room - rng.uniform(80, 200), 0) * rng.uniform(0.5, 1.5)
        image = image + bright
    image = image * (1 + strength * rng.normal(0, 0.12, 3)).astype(np.float32)
    gamma = np.exp(rng.normal(0, 0.3 * strength))
    image = 255 * np.clip(image / 255, 0, 1) ** gamma
    contrast = rng.uniform(1 - 0.6 * strength, 1.2)
    level = rng.uniform(-40, 50) * strength
    return np.clip((image - 128) * contrast + 128 + level, 0, 255).astype(np.float32)


def _occlude(rng: np.random.Generator, image: ColorImage, others: list[ColorImage]) -> ColorImage:
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.uniform(0.03, 0.15) * width), int(rng.uniform(0.05, 0.25) * height))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    if others and rng.random() < 0.5:
        cover = cv2.resize(others[-1], (width, height))
    else:  # something like a hand
        cover = np.full_like(image, rng.uniform([120, 70, 50], [250, 200, 180]).astype(np.uint8))
    return np.where(mask[..., None] > 0, cover, image)


def _camera(rng: np.random.Generator, image: FloatArray, strength: float) -> ColorImage:
    height, width = image.shape[:2]
    if rng.random() < 0.1 * strength:  # moire: two fine waves beat (pattern as in PIMoG, Fang et al. 2022)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        for channel in range(3):
            a, f = rng.uniform(0, np.pi), rng.uniform(0.2, 1.5)
            wave = np.cos(f * (np.cos(a) * x + np.sin(a) * y) + rng.uniform(0, 6))
            image[..., channel] += 18 * wave
    blur = rng.random()
    if blur < 0.35:
        image = cv2.GaussianBlur(image, (0, 0), 0.3 + rng.uniform(0, 2.2) * strength)
    elif blur < 0.55:
        length = 2 + int(rng.uniform(0, 10) * strength)
        kernel: FloatArray = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1
        turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
        kernel = cv2.warpAffine(kernel, turn, (length, length))
        image = cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6))
    if rng.random() < 0.25 * strength:  # a small part of a large photo, enlarged
        factor = rng.uniform(0.35, 0.9)
        fewer: FloatArray = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(fewer, (width, height), interpolation=cv2.INTER_CUBIC)
    sigma = abs(rng.normal(0, 7)) * strength
    noise: FloatArray = rng.standard_normal(image.shape, np.float32) * np.float32(sigma)
    if rng.random() < 0.4:  # a sensor's noise is coarser than a pixel once its colours are interpolated
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 1)) * 2
    taken = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25 * strength:  # phones smooth the noise away, and small print with it
        taken = cv2.medianBlur(taken, 3) if rng.random() < 0.5 else cv2.bilateralFilter(taken, 5, 30, 2)
    if rng.random() < 0.3:  # and sharpen what is left
        amount = rng.uniform(0.3, 1.5)
        soft = cv2.GaussianBlur(taken, (0, 0), rng.uniform(0.8, 2.5))
        taken = cv2.addWeighted(taken, 1 + amount, soft, -amount, 0)
    quality = int(rng.uniform(95 - 65 * strength, 96))
    encoded = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


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
    long_side = int(rng.uniform(720 - 400 * strength, 720))
    size = (long_side, int(long_side * rng.uniform(0.6, 1)))
    if rng.random() < 0.5:
        size = (size[1], size[0])
    height, width = picture.shape[:2]
    warp = random_warp(rng, picture_size=(width, height), photo_size=size, strength=strength, uneven=uneven)
    image = render(picture, clutter(rng, others, size), warp)
    if rng.random() < 0.3 * strength:
        image = _occlude(rng, image, others)
    lit = _light(rng, image.astype(np.float32), others, strength)
    return _camera(rng, lit, strength), warp
