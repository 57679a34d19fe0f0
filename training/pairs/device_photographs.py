"""Simulated photos by PyTorch, a batch at a time, on whatever device the pictures are: the recipes of
`training.simulation.recipe`, painted for a GPU that would otherwise wait for OpenCV.

Images are (B, 3, H, W) float32 of 0 to 255; coordinates as in `engine.describe.keypoints`. Effects that a photo does
not have are not computed for it. OpenCV's photos differ where a picture is seen small, here from a pyramid of
halvings, there shrunk by the exact factor, and in JPEG's rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import bilateral_blur, filter2d, gaussian_blur2d, median_blur
from torch import Tensor
from torch.nn import functional

from training.pairs.device_keypoints import shrink
from training.simulation.recipe import Background, Cover, Finish, Lens, Light, Recipe, motion_kernel
from training.simulation.warp import Warp

COARSEST = 4
"""Halvings of a picture: 512 pixels become 32, below which no photo shows it."""


@dataclass(frozen=True)
class Canvases:
    """pictures: (B, 3, S, S) uint8, S a multiple of 16; each picture lies at the top left, and its last row and column
    go on to the edges. sizes: (B, 2) float32, its width and height."""

    pictures: Tensor
    sizes: Tensor

    def take(self, rows: Tensor) -> Canvases:
        return Canvases(self.pictures[rows], self.sizes[rows])


@dataclass(frozen=True)
class Warps:
    """B warps as tensors; the fields are those of `training.simulation.warp.Warp`."""

    H: Tensor
    """(B, 3, 3)."""
    bend: Tensor
    """(B,)."""
    waves: Tensor
    """(B, W, 4); where a photo has fewer than another the rest are zero, which moves nothing."""
    folds: Tensor
    """(B, F, 3), likewise."""
    size: Tensor
    """(B, 2)."""

    @staticmethod
    def of(warps: Sequence[Warp], device: torch.device) -> Warps:
        def stack(rows: Sequence[np.ndarray]) -> Tensor:
            most = max(map(len, rows))
            filled = [np.pad(row, ((0, most - len(row)), (0, 0))) for row in rows]
            return torch.tensor(np.stack(filled), dtype=torch.float32, device=device)

        return Warps(
            stack([warp.H_photo_to_plane for warp in warps]),
            torch.tensor([warp.bend for warp in warps], dtype=torch.float32, device=device),
            stack([warp.waves for warp in warps]),
            stack([warp.folds for warp in warps]),
            torch.tensor([warp.size for warp in warps], dtype=torch.float32, device=device),
        )

    def photo_to_picture(self, xy: Tensor) -> Tensor:
        """(B, N, 2) photo pixels to picture pixels; NaN where a curved face is not visible."""
        seen = xy @ self.H[:, :, :2].mT + self.H[:, None, :, 2]
        depth = seen[..., 2:]
        plane = seen[..., :2] / torch.where(depth <= 1e-9, math.nan, depth)
        bend = self.bend.clamp_min(1e-6)[:, None]
        across = torch.where(self.bend[:, None] > 0, torch.arcsin(plane[..., 0] * bend.sin()) / bend, plane[..., 0])
        plane = torch.stack([across, plane[..., 1]], -1)
        for direction, number, phase, amplitude in self.waves.permute(1, 2, 0)[..., None]:
            along = torch.stack([direction.cos(), direction.sin()], -1)
            moved = amplitude * torch.sin(number * (plane * along).sum(-1) + phase)
            plane = plane + moved[..., None] * along
        for direction, offset, lost in self.folds.permute(1, 2, 0)[..., None]:
            along = torch.stack([direction.cos(), direction.sin()], -1)
            moved = lost * ((plane * along).sum(-1) - offset).clamp_min(0)
            plane = plane + moved[..., None] * along
        return (plane + 1) * (self.size / 2)[:, None] - 0.5


def photograph(
    pictures: Canvases,
    others: Sequence[Canvases],
    recipes: Sequence[Recipe],
    finishes: Sequence[Finish],
    generator: torch.Generator,
) -> Tensor:
    """Photos of B pictures, by B recipes of one size, among `others`, each of which holds one more picture for every
    photo; whole numbers. generator: draws the noise, on the pictures' device."""
    device = pictures.pictures.device
    width, height = recipes[0].size
    grid = _grid(width, height, device)
    warps = Warps.of([recipe.warp for recipe in recipes], device)
    source = warps.photo_to_picture(grid.reshape(1, -1, 2).expand(len(recipes), -1, -1))
    image = _backgrounds([recipe.background for recipe in recipes], others, grid)
    image = _render(pictures, source.reshape(-1, height, width, 2), image)
    _occlude([recipe.cover for recipe in recipes], image, others, grid)
    image = _lit([recipe.light for recipe in recipes], image, others, grid)
    lenses = [recipe.lens for recipe in recipes]
    _through_lens(lenses, image, grid)
    noise = torch.randn(image.shape, generator=generator, device=device)
    noise *= _column([lens.noise for lens in lenses], device)
    return _finished(finishes, image, noise)


def _blurred(images: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Each image with a Gaussian of its own, in pixels."""
    side = 2 * math.ceil(3 * max(sigmas)) + 1
    return gaussian_blur2d(
        images, side, torch.tensor(sigmas, dtype=images.dtype, device=images.device)[:, None].expand(-1, 2)
    )


def _grid(width: int, height: int, device: torch.device) -> Tensor:
    """(H, W, 2) pixel coordinates, x first."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], -1).float()


def _column(values: Sequence[float], device: torch.device) -> Tensor:
    """(B, 1, 1, 1), to be multiplied with images."""
    return torch.tensor(values, dtype=torch.float32, device=device)[:, None, None, None]


def _rows(having: Sequence[object]) -> list[int]:
    """Numbers of the photos that have an effect: those whose value is neither None, False nor 0."""
    return [number for number, value in enumerate(having) if value]


def _sample(pictures: Canvases, xy: Tensor, shrunk: Tensor) -> Tensor:
    """Pictures at (B, H, W, 2) of their pixels, seen at 1 / `shrunk` (B,) of their size, from the halvings next to
    it."""
    depth = shrunk.clamp_min(1).log2().clamp_max(COARSEST)
    grid = (xy + 0.5) * (2 / pictures.pictures.shape[-1]) - 1
    level = pictures.pictures.float()
    seen = torch.zeros((*xy.shape[:1], 3, *xy.shape[1:3]), device=xy.device)
    for number in range(COARSEST + 1):
        if number:
            level = functional.avg_pool2d(level, 2)
        weight = (1 - (depth - number).abs()).clamp_min(0)
        rows = weight.nonzero()[:, 0]
        part = functional.grid_sample(level[rows], grid[rows], padding_mode="border", align_corners=False)
        seen[rows] += weight[rows, None, None, None] * part
    return seen


def _framed(pictures: Canvases, boxes: Tensor, grid: Tensor) -> Tensor:
    """Photos full of pictures that are stretched to `boxes` (B, 4), x, y, width and height, and go on around them."""
    shrunk = pictures.sizes / boxes[:, 2:]
    xy = (grid - boxes[:, None, None, :2] + 0.5) * shrunk[:, None, None] - 0.5
    xy = torch.minimum(xy.clamp_min(0), pictures.sizes[:, None, None] - 1)
    return _sample(pictures, xy, shrunk.amax(1))


def _filling(pictures: Canvases, rows: list[int], grid: Tensor) -> Tensor:
    """Those of some photos, each filling the frame."""
    frame = torch.tensor([0.0, 0.0, grid.shape[1], grid.shape[0]], device=grid.device)
    return _framed(pictures.take(torch.tensor(rows, device=grid.device)), frame.expand(len(rows), 4), grid)


def _backgrounds(drawn: Sequence[Background], others: Sequence[Canvases], grid: Tensor) -> Tensor:
    height, width = grid.shape[:2]
    device = grid.device
    image = torch.zeros((len(drawn), 3, height, width), device=device)
    if plain := [row for row, each in enumerate(drawn) if each.ends is not None]:
        colours = np.stack([each.ends for each in drawn if each.ends is not None])
        ends = torch.tensor(colours, dtype=torch.float32, device=device)
        ramp = torch.linspace(0, 1, width, device=device)
        between = ends[:, 0, :, None] * (1 - ramp) + ends[:, 1, :, None] * ramp
        image[plain] = between[:, :, None].expand(-1, -1, height, -1)
    if full := [row for row, each in enumerate(drawn) if each.ends is None]:
        canvas = _filling(others[0], full, grid)
        for number, other in enumerate(others[1:]):
            boxes = torch.tensor([drawn[row].pieces[number] for row in full], dtype=torch.float32, device=device)
            piece = _framed(other.take(torch.tensor(full, device=device)), boxes, grid)
            within = (grid >= boxes[:, None, None, :2]) & (grid < (boxes[:, :2] + boxes[:, 2:])[:, None, None])
            canvas = torch.where(within.all(-1)[:, None], piece, canvas)
        image[full] = canvas
    if blurred := _rows([each.blur for each in drawn]):
        image[blurred] = _blurred(image[blurred], [drawn[row].blur for row in blurred])
    return image.floor()


def _render(pictures: Canvases, source: Tensor, background: Tensor) -> Tensor:
    steps = (source[:, ::8, 1:] - source[:, ::8, :-1])[:, :, ::8].abs().amax(-1)
    # What is seen smaller than a few pixels is not shrunk further.
    shrunk = steps.flatten(1).nanmedian(1).values.nan_to_num(1)
    shrunk = torch.minimum(shrunk.clamp_min(1), pictures.sizes.amin(1) / 8)
    visible = source.isfinite().all(-1)
    source = source.nan_to_num(0)
    seen = _sample(pictures, source, shrunk)
    # The border is as soft as one pixel of the picture that has been shrunk.
    far = pictures.sizes[:, None, None] - 1 - source
    inside = (torch.minimum(source, far) / shrunk[:, None, None, None] + 1).clamp(0, 1).prod(-1) * visible
    inside = inside[:, None]
    return (seen * inside + background * (1 - inside)).floor()


def _occlude(covers: Sequence[Cover | None], image: Tensor, others: Sequence[Canvases], grid: Tensor) -> None:
    for row in _rows(covers):
        cover = covers[row]
        assert cover is not None
        ellipses = torch.tensor(cover.ellipses, dtype=torch.float32, device=grid.device)
        turn = torch.deg2rad(ellipses[:, 4])
        cos, sin = turn.cos(), turn.sin()
        x, y = (grid[..., None, :] - ellipses[:, :2]).unbind(-1)
        across = (x * cos + y * sin) / ellipses[:, 2].clamp_min(1)
        down = (y * cos - x * sin) / ellipses[:, 3].clamp_min(1)
        hidden = (across**2 + down**2 <= 1).any(-1)
        if cover.colour is None:
            seen = _filling(others[-1], [row], grid)[0]
        else:
            seen = torch.tensor(cover.colour, dtype=torch.float32, device=grid.device)[:, None, None]
        image[row] = torch.where(hidden, seen, image[row])


def _lit(lights: Sequence[Light], image: Tensor, others: Sequence[Canvases], grid: Tensor) -> Tensor:
    height, width = grid.shape[:2]
    x, y = grid[..., 0] / width - 0.5, grid[..., 1] / height - 0.5

    def numbers(rows: Sequence[Sequence[float]]) -> Tensor:
        return torch.tensor(rows, dtype=torch.float32, device=grid.device).T[..., None, None]

    angle, amount = numbers([light.gradient or (0, 0) for light in lights])
    image = image * (1 + amount * (angle.cos() * x + angle.sin() * y))[:, None]
    angle, offset, steepness, loss = numbers([light.shadow or (0, 0, 1, 0) for light in lights])
    edge = ((angle.cos() * x + angle.sin() * y - offset) * steepness).clamp(0, 1)
    image = image * (1 - loss * edge)[:, None]
    cx, cy, sx, sy, amount = numbers([light.glare or (0, 0, 1, 1, 0) for light in lights])
    image = image + (amount * torch.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2))[:, None]
    if rows := _rows([light.reflection for light in lights]):
        sigma, dark, gain = zip(*(light.reflection for light in lights if light.reflection), strict=True)
        room = _blurred(_filling(others[0], rows, grid).flip(-1), sigma)
        image[rows] += (room - _column(dark, grid.device)).clamp_min(0) * _column(gain, grid.device)
    cast = torch.tensor(np.stack([light.cast for light in lights]), device=grid.device)[..., None, None]
    image = 255 * (image * cast / 255).clamp(0, 1) ** _column([light.gamma for light in lights], grid.device)
    contrast, level = (
        _column([getattr(light, name) for light in lights], grid.device) for name in ("contrast", "level")
    )
    return ((image - 128) * contrast + 128 + level).clamp(0, 255)


def _through_lens(lenses: Sequence[Lens], image: Tensor, grid: Tensor) -> None:
    for row, lens in enumerate(lenses):
        if lens.moire is not None:
            waves = torch.tensor(lens.moire, dtype=torch.float32, device=grid.device)[..., None, None]
            angle, number, phase = waves.unbind(1)
            image[row] += 18 * torch.cos(number * (angle.cos() * grid[..., 0] + angle.sin() * grid[..., 1]) + phase)
    if rows := _rows([lens.blur for lens in lenses]):
        image[rows] = _blurred(image[rows], [lenses[row].blur for row in rows])
    for row, lens in enumerate(lenses):
        if lens.motion is not None:
            kernel = torch.from_numpy(motion_kernel(*lens.motion)).to(grid.device)
            if len(kernel) % 2 == 0:  # so that its middle is where OpenCV takes it to be
                kernel = functional.pad(kernel, (0, 1, 0, 1))
            image[row] = filter2d(image[row : row + 1], kernel[None])[0]
        if lens.enlarged is not None:
            height, width = (max(1, round(side * lens.enlarged)) for side in grid.shape[:2])
            fewer = shrink(image[row], (height, width))
            image[row] = functional.interpolate(fewer[None], grid.shape[:2], mode="bicubic")[0]


def _finished(finishes: Sequence[Finish], image: Tensor, noise: Tensor) -> Tensor:
    if rows := _rows([finish.grain for finish in finishes]):
        noise[rows] = _blurred(noise[rows], [finishes[row].grain for row in rows]) * 2
    image = (image + noise).clamp(0, 255).floor()
    if rows := _rows([finish.smoothing == "median" for finish in finishes]):
        image[rows] = median_blur(image[rows], 3)
    if rows := _rows([finish.smoothing == "bilateral" for finish in finishes]):
        image[rows] = bilateral_blur(image[rows], 5, 30.0, (2.0, 2.0)).round()
    if rows := _rows([finish.sharpening for finish in finishes]):
        amount, sigma = zip(*(finish.sharpening for finish in finishes if finish.sharpening), strict=True)
        soft = _blurred(image[rows], sigma)
        image[rows] = (image[rows] + _column(amount, image.device) * (image[rows] - soft)).clamp(0, 255).round()
    quality = torch.tensor([float(finish.quality) for finish in finishes], device=image.device)
    return (jpeg_codec_differentiable(image / 255, quality) * 255).round()
