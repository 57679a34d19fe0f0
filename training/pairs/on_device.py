"""Pairs of patches without end, simulated where the network trains: a fresh photo of every picture of every batch.

`training.pairs.in_processes` makes pairs on processors beforehand, and a training sees each several times. Here
pictures lie in the device's memory, and `SimulatedPairs` takes their photos, finds keypoints and cuts patches there.
"""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.describe.keypoints import PHOTO_DETECTOR, PICTURE_DETECTOR, detect
from engine.describe.patches import extract_patches
from engine.errors import ResearchError
from engine.image import resize_long_side
from engine.image_files import read_rgb
from engine.values import Array, ColorImage
from training.pairs.device_keypoints import BatchKeypoints, cut_patches, detect_batch, shrink
from training.pairs.device_photographs import Canvases, Warps, photograph
from training.pairs.in_processes import ANGLE, CELL, NEW_SHARE, OFFSET, SCALE
from training.simulation.new_pictures import look_alike, new_picture
from training.simulation.recipe import draw_batch, draw_size

CANVAS = 512
"""Pixels on a side of a stored picture. One photo in seven to sixteen shows it larger, and so a little softer than
those of processes, which read 640 pixels; those would take half as much memory again."""
GENTLE, RAMP = 0.4, 0.3
"""Photos begin with this strength, and reach all of it after this share of the training."""
PHOTO_BYTES = 128 * 2**20
"""The device's memory that a photo of the largest size takes on its way (measured on a processor: 97 MiB)."""
EXACT = "donot_use_mm_for_euclid_dist"
"""Distances by a matrix product would be wrong by a fifth of a pixel."""
ATTEMPTS = 8
"""Batches without a pair, one after the other, before a training gives up."""
LUMINANCE = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as OpenCV's grey."""


@dataclass(frozen=True)
class Bank:
    """N pictures to take photos of, and K keypoints of each, as the engine finds them in a picture of
    `PICTURE_DETECTOR`'s size."""

    pictures: Tensor
    """(N, 3, CANVAS, CANVAS) uint8, as in `Canvases`."""
    sizes: Tensor
    """(N, 2) float32: width and height of each picture on its canvas."""
    xy: Tensor
    """(N, K, 2) float32: places of the keypoints, NaN where a picture has fewer."""
    scale: Tensor
    """(N, K) float32, NaN likewise."""
    angle: Tensor
    """(N, K) float32 in radians, NaN likewise."""
    patches: Tensor
    """(N, K, 32, 32) uint8: the patch of each keypoint."""
    original: Tensor
    """(N,) int64: the row of the picture whose look-alike this one is, or its own."""

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    @property
    def canvases(self) -> Canvases:
        return Canvases(self.pictures, self.sizes)

    @property
    def sizes_in_pixels(self) -> list[tuple[int, int]]:
        return [(int(width), int(height)) for width, height in self.sizes.tolist()]

    def take(self, rows: Tensor) -> Bank:
        return Bank(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to(self, device: torch.device) -> Bank:
        return Bank(*(getattr(self, field.name).to(device) for field in fields(self)))


def make_bank(paths: list[Path], *, seed: int, invented: float, processes: int) -> Bank:
    """The pictures that can be read and have keypoints, and beside the share `invented` of them a new picture or a
    look-alike (`training.simulation.new_pictures`). Raises ResearchError where there are none, or more than the memory
    holds."""
    rng = np.random.default_rng(seed)
    companions = rng.random(len(paths)) < invented
    room = len(paths) + int(companions.sum())
    others = [[paths[k] for k in rng.integers(0, len(paths), 3)] if has else [] for has in companions]
    tables: dict[str, Array] = {}
    originals: list[int] = []
    # Spawned, not forked: a fork of a process with OpenCV's or ONNX Runtime's threads may hang.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        work = zip(paths, others, rng.integers(0, 2**62, len(paths)).tolist(), strict=True)
        for rows, alike in pool.imap(_rows_of, work, chunksize=8):
            first = len(originals)
            for row in rows:
                tables = tables or _empty(row, room)
                for name, value in row.items():
                    tables[name][len(originals)] = value
                originals.append(first if alike else len(originals))
    if not originals:
        raise ResearchError("none of the pictures can be read and has keypoints")
    filled = {name: torch.from_numpy(table[: len(originals)]) for name, table in tables.items()}
    return Bank(**filled, original=torch.tensor(originals))


def _empty(row: dict[str, Array], room: int) -> dict[str, Array]:
    """Tables for so many rows. The system would grant more memory than there is, and stop the training in the midst."""
    needed = room * sum(value.nbytes for value in row.values())
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise ResearchError(
            f"{room} pictures need {needed / 1e9:.1f} GB of memory, there are {there / 1e9:.1f}; give fewer, or have "
            "processes make the pairs (--in-processes)"
        )
    return {name: np.empty((room, *value.shape), value.dtype) for name, value in row.items()}


def _rows_of(item: tuple[Path, list[Path], int]) -> tuple[list[dict[str, Array]], bool]:
    """Tables of a picture and of a companion, if there are others to make one, and whether that is its look-alike."""
    path, around, seed = item
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    picture = read_rgb(path)
    if picture is None:
        return [], False
    shown, alike = [picture], False
    if around:
        alike = bool(rng.random() >= NEW_SHARE)
        if alike:
            shown.append(look_alike(picture, rng))
        else:
            read = (read_rgb(other, 320) for other in around[: rng.integers(1, 4)])
            shown.append(new_picture(picture, [other for other in read if other is not None], rng))
    rows = [row for row in map(_row_of, shown) if np.isfinite(row["scale"]).any()]
    return rows, alike and len(rows) == len(shown)


def _row_of(picture: ColorImage) -> dict[str, Array]:
    small = resize_long_side(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), PICTURE_DETECTOR.long_side)
    points = detect(small, PICTURE_DETECTOR)
    missing = PICTURE_DETECTOR.count - len(points)
    stored = resize_long_side(picture, CANVAS)
    height, width = stored.shape[:2]
    canvas = np.pad(stored, ((0, CANVAS - height), (0, CANVAS - width), (0, 0)), mode="edge")
    return {
        "pictures": np.ascontiguousarray(canvas.transpose(2, 0, 1)),
        "sizes": np.array([width, height], np.float32),
        "xy": np.pad(points.xy, ((0, missing), (0, 0)), constant_values=np.nan),
        "scale": np.pad(points.scale, (0, missing), constant_values=np.nan),
        "angle": np.pad(points.angle, (0, missing), constant_values=np.nan),
        "patches": np.pad(extract_patches(small, points), ((0, missing), (0, 0), (0, 0))),
    }


class SimulatedPairs:
    """Batches of pairs for `training.learn.train`, the same for the same seed and step on one device: from one photo
    each of `runs` pictures at most `run_length` pairs. The pictures move to the device where its memory has room for
    them; otherwise each batch's go there."""

    def __init__(self, bank: Bank, *, runs: int, run_length: int, seed: int, device: torch.device) -> None:
        self._original = bank.original.numpy()
        if device.type == "cuda" and bank.nbytes + runs * PHOTO_BYTES < torch.cuda.mem_get_info(device)[0]:
            bank = bank.to(device)
        self._bank, self._runs, self._run_length, self._seed, self._device = bank, runs, run_length, seed, device

    def __call__(self, step: int, progress: float) -> tuple[Tensor, Tensor]:
        """(M, 32, 32) uint8 patches of pictures and of photos, row by row of the same points. progress: share of the
        training that is done; photos get harder with it. Raises ResearchError where no photo shows a keypoint again."""
        rng = np.random.default_rng([self._seed, step])
        for _ in range(ATTEMPTS):
            pairs = self._drawn(rng, min(1.0, GENTLE + (1 - GENTLE) * progress / RAMP))
            if len(pairs[0]):
                return pairs
        raise ResearchError(f"{ATTEMPTS} batches of photos without a single pair: what is in the pictures?")

    def _drawn(self, rng: np.random.Generator, strength: float) -> tuple[Tensor, Tensor]:
        bank = self._bank.take(torch.from_numpy(self._chosen(rng))).to(self._device)
        others = [self._others(rng) for _ in range(rng.integers(1, 4))]
        size = draw_size(rng, strength)
        strengths = (strength * rng.uniform(0.3, 1, self._runs)).tolist()
        recipes, finishes = draw_batch(rng, bank.sizes_in_pixels, strengths, size=size, others=len(others))
        generator = torch.Generator(self._device).manual_seed(int(rng.integers(2**62)))
        gray = to_gray(photograph(bank.canvases, others, recipes, finishes, generator), PHOTO_DETECTOR.long_side)
        seen = detect_batch(gray, PHOTO_DETECTOR)
        warps = Warps.of([recipe.warp for recipe in recipes], self._device)
        image, ours, theirs = self._matched(bank, seen, warps, gray.shape[2] / size[0], generator)
        found = (seen.xy[image, theirs], seen.scale[image, theirs], seen.angle[image, theirs])
        return bank.patches[image, ours], cut_patches(gray, image, *found)

    def _chosen(self, rng: np.random.Generator) -> Array:
        """Rows of a batch; behind a look-alike its original, so that they are negatives of each other."""
        rows = rng.integers(0, len(self._bank), self._runs)
        for place in range(self._runs - 1):
            original = self._original[rows[place]]
            if original != rows[place]:
                rows[place + 1] = original
        return rows

    def _others(self, rng: np.random.Generator) -> Canvases:
        rows = torch.from_numpy(rng.integers(0, len(self._bank), self._runs))
        return Canvases(self._bank.pictures[rows].to(self._device), self._bank.sizes[rows].to(self._device))

    def _matched(
        self, bank: Bank, seen: BatchKeypoints, warps: Warps, enlargement: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """At most `run_length` pairs of each photo, no two at the same place: (M,) numbers of the photos, columns of
        the pictures' keypoints and columns of the photos'. enlargement: as in `corresponding_batch`."""
        ours, theirs = corresponding_batch(bank, seen, warps, enlargement)
        priority = torch.rand(ours.shape, generator=generator, device=ours.device) * ours
        cell = (bank.xy.nan_to_num(0) / CELL).long()
        across = PICTURE_DETECTOR.long_side // CELL + 1
        cell = cell[..., 1] * across + cell[..., 0]
        best = torch.zeros((len(cell), across**2), device=cell.device).scatter_reduce(1, cell, priority, "amax")
        priority = torch.where(priority == best.gather(1, cell), priority, 0)
        value, column = priority.topk(min(self._run_length, priority.shape[1]))
        image, place = (value > 0).nonzero(as_tuple=True)
        column = column[image, place]
        return image, column, theirs[image, column]


def to_gray(photos: Tensor, long_side: int) -> Tensor:
    """(B, h, w) grey photos of (B, 3, H, W), the longer side `long_side` pixels; whole numbers."""
    gray = (photos * torch.tensor(LUMINANCE, device=photos.device)[:, None, None]).sum(1).round()
    factor = long_side / max(gray.shape[1:])
    size = (round(gray.shape[1] * factor), round(gray.shape[2] * factor))
    if factor < 1:
        return shrink(gray, size)
    return functional.interpolate(gray[:, None], size, mode="bilinear")[:, 0].round()


def corresponding_batch(bank: Bank, seen: BatchKeypoints, warps: Warps, enlargement: float) -> tuple[Tensor, Tensor]:
    """(B, K) for each keypoint of the pictures: whether one of its photo's shows the same point, and the column of the
    best, by the rule of `training.pairs.in_processes.corresponding`. enlargement: the factor by which the photos were
    resized before their keypoints were sought."""
    xy, scale = (seen.xy + 0.5) / enlargement - 0.5, seen.scale / enlargement
    heading = torch.stack([seen.angle.cos(), seen.angle.sin()], -1)
    aside = torch.stack([-heading[..., 1], heading[..., 0]], -1)
    factor = PICTURE_DETECTOR.long_side / bank.sizes.amax(1)[:, None, None]
    centre, ahead, across = (
        (warps.photo_to_picture(point) + 0.5) * factor - 0.5 for point in (xy, xy + heading, xy + aside)
    )
    ahead, across = ahead - centre, across - centre
    growth = (ahead[..., 0] * across[..., 1] - ahead[..., 1] * across[..., 0]).abs().sqrt()
    angle = torch.atan2(ahead[..., 1], ahead[..., 0])
    # (B, photo's keypoints, picture's keypoints); what is NaN is no match.
    offset = torch.cdist(centre, bank.xy, compute_mode=EXACT) / bank.scale[:, None]
    ratio = ((scale * growth)[..., None] / bank.scale[:, None]).log().abs()
    turn = ((angle[..., None] - bank.angle[:, None] + torch.pi) % (2 * torch.pi) - torch.pi).abs()
    near = (offset < OFFSET) & (ratio < SCALE) & (turn < ANGLE) & seen.valid[..., None]
    cost, best = torch.where(near, offset / OFFSET + ratio / SCALE + turn / ANGLE, torch.inf).min(1)
    return cost.isfinite(), best
