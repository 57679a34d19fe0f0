"""`engine.describe.keypoints` by PyTorch, for a batch of images of one size on any device.

ORB's detector as OpenCV builds it (Rublee et al. 2011: FAST of Rosten and Drummond 2006, Harris responses, orientation
by the intensity centroid), keypoints spread over cells, and the patches around them. For photos that were simulated on
a GPU, which would wait for a detector on the processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.describe.keypoints import EDGE, LEVEL_FACTOR, LEVELS, DetectorSettings
from engine.describe.patches import PATCH_EXTENT, PATCH_SIDE

_CIRCLE = (
    *((0, 3), (1, 3), (2, 2), (3, 1), (3, 0), (3, -1), (2, -2), (1, -3)),
    *((0, -3), (-1, -3), (-2, -2), (-3, -1), (-3, 0), (-3, 1), (-2, 2), (-1, 3)),
)
TILES = 8
"""How many tiles the equalisation has in each direction (`engine.describe.keypoints.DetectorSettings.contrast`)."""
_HARRIS_BLOCK = 7
_HARRIS_K = 0.04
_CENTROID_RADIUS = 15


@dataclass(frozen=True)
class BatchKeypoints:
    """K keypoints of each of B images, as `engine.describe.keypoints.Keypoints` has those of one."""

    xy: Tensor
    """(B, K, 2) float32."""
    scale: Tensor
    """(B, K) float32."""
    angle: Tensor
    """(B, K) float32."""
    valid: Tensor
    """(B, K) bool: False in the columns that an image does not fill, because it has fewer keypoints."""


def detect_batch(gray: Tensor, settings: DetectorSettings) -> BatchKeypoints:
    """Keypoints of (B, H, W) float32 images of whole numbers of 0 to 255, already at their working size, more than
    twice `EDGE` pixels in each direction."""
    height, width = gray.shape[1:]
    if settings.contrast:
        gray = equalise(gray, settings.contrast)
    levels = _pyramid(gray)
    shares = _shares(3 * settings.count)[: len(levels)]
    corners = [_corners(level, share) for level, share in zip(levels, shares, strict=True)]
    clear = [(c.score >= settings.fast_threshold).sum(1).clamp_max(s) for c, s in zip(corners, shares, strict=True)]
    few = sum(clear, torch.zeros_like(clear[0])) < min(settings.faint_below, settings.count)
    threshold = torch.where(few, settings.faint_threshold, settings.fast_threshold)[:, None]

    found = []
    for number, (level, corner, share) in enumerate(zip(levels, corners, shares, strict=True)):
        strength = torch.where(corner.score >= threshold, corner.response, -torch.inf)
        response, best = strength.topk(min(share, strength.shape[1]))
        x, y = corner.x.gather(1, best), corner.y.gather(1, best)
        octave = torch.full_like(x, number)
        xy = torch.stack([x, y], -1) * LEVEL_FACTOR**number
        found.append((xy, octave, _orientation(level, x, y), response, response > -torch.inf))
    xy, octave, angle, response, valid = (torch.cat(part, 1) for part in zip(*found, strict=True))
    chosen = _spread(xy, octave, response, valid, (height, width), settings)
    scale = LEVEL_FACTOR ** octave.float()
    scale, angle, valid = (value.gather(1, chosen) for value in (scale, angle, valid))
    return BatchKeypoints(xy.gather(1, chosen[..., None].expand(-1, -1, 2)), scale, angle, valid)


def equalise(gray: Tensor, limit: float) -> Tensor:
    """CLAHE in 8 x 8 tiles as OpenCV's, whose whole numbers decide which faint keypoints are found: with kornia's, a
    grey level away on average, a sixth of a photo's keypoints were others."""
    count, height, width = gray.shape
    # OpenCV adds a whole tile's side where only the other side needs filling.
    more = [0 if height % TILES == width % TILES == 0 else TILES - side % TILES for side in (width, height)]
    padded = functional.pad(gray[:, None], (0, more[0], 0, more[1]), mode="reflect")[:, 0].long()
    down, across = padded.shape[1] // TILES, padded.shape[2] // TILES
    tiles = padded.reshape(count, TILES, down, TILES, across).transpose(2, 3).reshape(count, TILES**2, -1)
    ones = torch.ones_like(tiles)
    histogram = torch.zeros((count, TILES**2, 256), dtype=torch.int64, device=gray.device).scatter_add_(2, tiles, ones)
    most = max(int(limit * down * across / 256), 1)
    excess = (histogram - most).clamp_min(0).sum(2, keepdim=True)
    rest = excess % 256
    grey = torch.arange(256, device=gray.device)
    step = (256 // rest.clamp_min(1)).clamp_min(1)
    histogram = histogram.clamp_max(most) + excess // 256 + ((grey % step == 0) & (grey // step < rest))
    table = (histogram.cumsum(2).float() * (255 / (down * across))).round().flatten(1)

    def between(side: int, tile: int) -> tuple[Tensor, Tensor, Tensor]:
        place = torch.arange(side, device=gray.device) / tile - 0.5
        first = place.floor()
        return first.long().clamp_min(0), (first.long() + 1).clamp_max(TILES - 1), place - first

    top, bottom, low = between(height, down)
    left, right, far = between(width, across)

    def mapped(row: Tensor, column: Tensor) -> Tensor:
        place = (row[:, None] * TILES + column) * 256 + gray.long()
        return table.gather(1, place.flatten(1)).reshape(gray.shape)

    above = torch.lerp(mapped(top, left), mapped(top, right), far)
    below = torch.lerp(mapped(bottom, left), mapped(bottom, right), far)
    return torch.lerp(above, below, low[:, None]).round()


def _pyramid(gray: Tensor) -> list[Tensor]:
    """ORB's: each level made of the last, those left out that are nothing but border."""
    levels = [gray]
    for number in range(1, LEVELS):
        size = [round(side / LEVEL_FACTOR**number) for side in gray.shape[1:]]
        if min(size) <= 2 * EDGE:
            break
        levels.append(functional.interpolate(levels[-1][:, None], size, mode="bilinear")[:, 0].round())
    return levels


def _shares(count: int) -> list[int]:
    """ORB's keypoints of each level: shares that fall by the factor, the last gets the rest."""
    falling = 1 / LEVEL_FACTOR
    first = count * (1 - falling) / (1 - falling**LEVELS)
    shares = [round(first * falling**number) for number in range(LEVELS - 1)]
    return [*shares, max(count - sum(shares), 0)]


@dataclass(frozen=True)
class _Corners:
    """N corners of one level of each of B images; all fields are (B, N)."""

    x: Tensor
    y: Tensor
    score: Tensor
    """FAST's; 0 where there is no corner."""
    response: Tensor
    """Harris's."""


def _corners(level: Tensor, share: int) -> _Corners:
    """Twice as many as the level's share, the best by FAST."""
    score = _fast(level).flatten(1)
    best, place = score.topk(min(2 * share, score.shape[1]))
    response = _harris(level).flatten(1).gather(1, place)
    return _Corners(place % level.shape[2], place // level.shape[2], best, response)


def _fast(level: Tensor) -> Tensor:
    """(B, H, W) int16: the largest threshold at which a pixel is a corner; 0 where it never is, where a neighbour is as
    good, and within `EDGE` of the border."""
    whole = level.to(torch.int16)
    circle = torch.stack([torch.roll(whole, (-dy, -dx), (1, 2)) for dx, dy in _CIRCLE]) - whole
    score = torch.maximum(_least_of_nine(circle), _least_of_nine(-circle)) - 1
    around = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    nearest = torch.stack([torch.roll(score, move, (1, 2)) for move in around]).amax(0)
    inner = torch.zeros_like(score)
    inner[:, EDGE:-EDGE, EDGE:-EDGE] = 1
    return score.clamp_min(0) * inner * (score > nearest)


def _least_of_nine(values: Tensor) -> Tensor:
    """(B, H, W) of (16, B, H, W): of the least of nine neighbours in a row on the circle, the greatest."""
    two = torch.minimum(values, values.roll(-1, 0))
    four = torch.minimum(two, two.roll(-2, 0))
    eight = torch.minimum(four, four.roll(-4, 0))
    return torch.minimum(eight, values.roll(-8, 0)).amax(0)


def _harris(level: Tensor) -> Tensor:
    """(B, H, W): the response over a block of 7 x 7, in OpenCV's units."""
    smooth, rise = torch.tensor([1.0, 2, 1], device=level.device), torch.tensor([-1.0, 0, 1], device=level.device)
    sobel = torch.stack([smooth[:, None] * rise, rise[:, None] * smooth])[:, None] / (4 * _HARRIS_BLOCK * 255)
    across, down = functional.conv2d(level[:, None], sobel, padding=1).unbind(1)
    products = torch.stack([across * across, down * down, across * down], 1)
    xx, yy, xy = (functional.avg_pool2d(products, _HARRIS_BLOCK, 1, 3) * _HARRIS_BLOCK**2).unbind(1)
    return xx * yy - xy * xy - _HARRIS_K * (xx + yy) ** 2


def _orientation(level: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(B, K) radians in [0, 2 pi): towards the centroid of the grey levels within 15 pixels."""
    reach = torch.arange(-_CENTROID_RADIUS, _CENTROID_RADIUS + 1, device=level.device)
    dy, dx = torch.meshgrid(reach, reach, indexing="ij")
    half_width = (_CENTROID_RADIUS**2 - dy**2).float().sqrt().round()
    dy, dx = dy[dx.abs() <= half_width], dx[dx.abs() <= half_width]
    # Within `EDGE`, which is one less than the radius, the image is mirrored.
    padded = functional.pad(level[:, None], (_CENTROID_RADIUS,) * 4, mode="reflect")[:, 0]
    middle = (y + _CENTROID_RADIUS) * padded.shape[2] + x + _CENTROID_RADIUS
    place = middle[..., None] + dy * padded.shape[2] + dx
    seen = padded.flatten(1).gather(1, place.flatten(1)).reshape(place.shape)
    return torch.atan2((seen * dy).sum(-1), (seen * dx).sum(-1)) % (2 * torch.pi)


def _spread(
    xy: Tensor, octave: Tensor, response: Tensor, valid: Tensor, shape: tuple[int, int], settings: DetectorSettings
) -> Tensor:
    """Columns of the chosen (B, count) among the found (B, N). As in the engine, within each level cells take turns,
    best response first, and levels keep their shares; what is not valid comes last."""
    cells, limit = settings.cells, torch.tensor([shape[1], shape[0]], device=xy.device)
    cell = (xy * cells / limit).long().clamp_max(cells - 1)
    # What is not valid stands behind the last level.
    level = torch.where(valid, octave, LEVELS)
    turn = _rank((level * cells + cell[..., 1]) * cells + cell[..., 0], response)
    position = _rank(level, -turn.float(), response)
    found = torch.zeros((len(xy), LEVELS + 1), device=xy.device).scatter_add_(1, level, valid.float())
    quota = found.gather(1, level) * settings.count / found.sum(1, keepdim=True).clamp_min(settings.count)
    key = torch.where(valid, position / quota.clamp_min(1e-9), torch.inf)
    return key.argsort(dim=1, stable=True)[:, : settings.count]


def _rank(group: Tensor, *keys: Tensor) -> Tensor:
    """(B, N): the place of each within its group, largest first by the first key, then by the next."""
    order = torch.arange(group.shape[1], device=group.device).expand_as(group)
    for key in (*reversed(keys), -group.float()):
        order = order.gather(1, key.gather(1, order).argsort(dim=1, descending=True, stable=True))
    ordered = group.gather(1, order)
    place = torch.arange(group.shape[1], device=group.device).expand_as(group)
    begins = torch.ones_like(ordered, dtype=torch.bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = torch.where(begins, place, 0).cummax(1).values
    return torch.empty_like(place).scatter_(1, order, place - start)


def cut_patches(gray: Tensor, image: Tensor, xy: Tensor, scale: Tensor, angle: Tensor) -> Tensor:
    """(N, 32, 32) uint8 patches around N keypoints (xy (N, 2), scale, angle (N,)), each of `gray` (B, H, W)'s number
    `image` (N,): as `engine.describe.patches.extract_patches`."""
    height, width = gray.shape[1:]
    patches = torch.empty((len(xy), PATCH_SIDE, PATCH_SIDE), dtype=torch.uint8, device=gray.device)
    levels = torch.log(scale).div(torch.log(torch.tensor(LEVEL_FACTOR))).round().long()
    reach = torch.arange(PATCH_SIDE, device=gray.device) - (PATCH_SIDE - 1) / 2
    for level in torch.unique(levels).tolist():
        step = PATCH_EXTENT * LEVEL_FACTOR**level
        size = (max(2, round(height / step)), max(2, round(width / step)))
        small = shrink(gray, size)
        chosen = (levels == level).nonzero()[:, 0]
        ratio = torch.tensor([size[1] / width, size[0] / height], device=gray.device)
        centre = ((xy[chosen] + 0.5) * ratio - 0.5)[:, :, None, None]
        cos, sin = (value[:, None, None] for value in (angle[chosen].cos(), angle[chosen].sin()))
        x = (centre[:, 0] + cos * reach - sin * reach[:, None]).clamp(0, size[1] - 1.001)
        y = (centre[:, 1] + sin * reach + cos * reach[:, None]).clamp(0, size[0] - 1.001)
        left, top = x.long(), y.long()
        flat, place = small.flatten(), (image[chosen, None, None] * size[0] + top) * size[1] + left
        right, low = x - left, y - top
        above = torch.lerp(flat[place], flat[place + 1], right)
        below = torch.lerp(flat[place + size[1]], flat[place + size[1] + 1], right)
        patches[chosen] = (torch.lerp(above, below, low) + 0.5).to(torch.uint8)
    return patches


def shrink(images: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) to (B, *size), each new pixel the mean of what it covers, as OpenCV's INTER_AREA; whole numbers."""
    rows, columns = (_covering(old, new, images.device) for old, new in zip(images.shape[1:], size, strict=True))
    return (rows @ images @ columns.T).round()


def _covering(old: int, new: int, device: torch.device) -> Tensor:
    """(new, old): the share of each new pixel that each old one covers."""
    edges = torch.arange(new + 1, dtype=torch.float64) * (old / new)
    pixels = torch.arange(old, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (covered.clamp_min(0) * (new / old)).to(device, torch.float32)
