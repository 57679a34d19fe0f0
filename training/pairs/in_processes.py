"""Pairs of patches that show the same point: one from a picture, one from its simulated photograph."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from engine.describe.keypoints import PHOTO_DETECTOR, PICTURE_DETECTOR, Keypoints, detect
from engine.describe.patches import extract_patches
from engine.image import resize_long_side
from engine.image_files import read_rgb
from engine.values import ByteArray, ColorImage
from training.simulation.new_pictures import look_alike, new_picture
from training.simulation.photographs import simulate
from training.simulation.warp import Warp

NEW_SHARE = 0.6
"""Share of the invented pictures that stand alone; the others stand beside their original as its look-alike."""
OFFSET, SCALE, ANGLE = 3.0, 0.3, 0.45
"""Keypoints show the same point within so many pixels of the picture at keypoint scale 1, with logarithms of their
scales so far apart, angles so many radians."""
CELL = 8
"""Near-copies of one place would act as false negatives of each other: one pair per cell of so many pixels."""


@dataclass(frozen=True)
class PatchPairs:
    """N pairs. picture, photo: (N, 32, 32) uint8; source: (N,) int32 number of the picture."""

    picture: ByteArray
    photo: ByteArray
    source: np.ndarray


def is_validation(folder: Path, paths: list[Path], *, share: float = 0.06) -> np.ndarray:
    """(N,) bool: which pictures are held out. Whole sources are held out, never single views of one: a picture's source
    is its source_repository in `manifest.csv`, where there is one, else its own name."""
    sources: dict[str, str] = {}
    manifest = folder / "manifest.csv"
    if manifest.exists():
        with manifest.open(newline="") as file:
            sources = {row["path"]: row["source_repository"] for row in csv.DictReader(file)}
    names = [sources.get(str(p.relative_to(folder)), p.name) for p in paths]
    digests = [int(hashlib.sha256(n.encode()).hexdigest()[:8], 16) / 16**8 for n in names]
    return np.array(digests) < share


def corresponding(
    picture_points: Keypoints, photo_points: Keypoints, warp: Warp, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (in the picture's, in the photo's keypoints) of those that show the same point (`OFFSET`, `SCALE`,
    `ANGLE`).

    The picture's keypoints are those of the picture resized by `factor`; photo keypoints are in the
    photo's own pixels.
    """
    none = np.zeros(0, np.int64)
    if not len(picture_points) or not len(photo_points):
        return none, none
    centre = warp.photo_to_picture(photo_points.xy)
    heading = np.c_[np.cos(photo_points.angle), np.sin(photo_points.angle)].astype(np.float32)
    along = warp.photo_to_picture(photo_points.xy + heading) - centre
    across = warp.photo_to_picture(photo_points.xy + heading[:, ::-1] * np.array([-1, 1], np.float32)) - centre
    centre, along, across = (centre + 0.5) * factor - 0.5, along * factor, across * factor
    magnification = np.sqrt(np.abs(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]))
    scale, angle = photo_points.scale * magnification, np.arctan2(along[:, 1], along[:, 0])
    usable = np.flatnonzero(np.isfinite(centre).all(1) & np.isfinite(scale) & (scale > 0))
    if not len(usable):
        return none, none
    tree = cKDTree(picture_points.xy)
    near = tree.query(centre[usable], k=min(8, len(picture_points)), distance_upper_bound=9)[1]
    near = near.reshape(len(usable), -1)
    best: dict[int, tuple[float, int]] = {}
    for row, candidates in zip(usable, near, strict=True):
        for c in candidates[candidates < len(picture_points)]:
            size = picture_points.scale[c]
            offset = np.hypot(*(picture_points.xy[c] - centre[row])) / size
            ratio = abs(np.log(scale[row] / size))
            turn = abs((angle[row] - picture_points.angle[c] + np.pi) % (2 * np.pi) - np.pi)
            if offset < OFFSET and ratio < SCALE and turn < ANGLE:
                cost = offset / OFFSET + ratio / SCALE + turn / ANGLE
                if c not in best or cost < best[c][0]:
                    best[int(c)] = (cost, int(row))
    chosen = sorted(best)
    return np.array(chosen, np.int64), np.array([best[c][1] for c in chosen], np.int64)


def pairs_of(
    picture: ColorImage, photo: ColorImage, warp: Warp, *, limit: int, rng: np.random.Generator
) -> tuple[ByteArray, ByteArray]:
    """At most `limit` pairs of patches of one picture and one photo of it, no two at the same place."""
    small = resize_long_side(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), PICTURE_DETECTOR.long_side)
    large = resize_long_side(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), PHOTO_DETECTOR.long_side)
    points, seen = detect(small, PICTURE_DETECTOR), detect(large, PHOTO_DETECTOR)
    shrink = photo.shape[1] / large.shape[1]
    in_photo = Keypoints((seen.xy + 0.5) * shrink - 0.5, seen.scale * shrink, seen.angle, seen.response)
    a, b = corresponding(points, in_photo, warp, small.shape[1] / picture.shape[1])
    shuffled = rng.permutation(len(a))
    cells = (points.xy[a[shuffled]] // CELL).astype(np.int64)
    kept = shuffled[np.unique(cells @ [100_003, 1], return_index=True)[1]]
    kept = rng.permutation(kept)[:limit]
    return extract_patches(small, points.take(a[kept])), extract_patches(large, seen.take(b[kept]))


def generate(
    paths: list[Path], *, seed: int, limit: int = 80, strength: float = 1.0, invented: float
) -> Iterator[PatchPairs]:
    """Pairs picture after picture, without end; the same for the same seed. The share `invented` of the pictures
    is replaced by a new one, or goes with a look-alike, whose pairs are mixed with its own."""
    rng = np.random.default_rng(seed)
    while True:
        for number in rng.permutation(len(paths)):
            picture = read_rgb(paths[number])
            if picture is None:
                continue
            chosen = rng.integers(0, len(paths), int(rng.integers(1, 4)))
            others = [o for o in (read_rgb(paths[k], 320) for k in chosen) if o is not None]
            shown = [picture]
            if rng.random() < invented:
                new = rng.random() < NEW_SHARE
                shown = [new_picture(picture, others, rng)] if new else [picture, look_alike(picture, rng)]
            found = []
            for each in shown:
                photo, warp = simulate(each, others, rng, strength=strength * float(rng.uniform(0.3, 1)))
                found.append(pairs_of(each, photo, warp, limit=limit // len(shown), rng=rng))
            a, b = (np.concatenate(side) for side in zip(*found, strict=True))
            if len(a):
                mixed = rng.permutation(len(a))
                yield PatchPairs(a[mixed], b[mixed], np.full(len(a), number, np.int32))
