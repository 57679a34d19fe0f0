"""What the comparator learns from: simulated photos, registered by the engine's own path, with a label for each cell.

Each photo is taken several times, alike to the grain of its noise: of the print that it shows, of the print that it is
compared with, and of a probe that differs from both everywhere. So the labels cost nothing, and are true: where the
probe changes nothing a hand, a glare or the surface's end is in the way; where two prints differ and their photos do
not, the photo does not resolve the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.describe.features import describe_photo, describe_picture, pack_features
from engine.describe.patch_model import PatchModel
from engine.describe.query import Query
from engine.describe.records import frame_size
from engine.image import resize_long_side
from engine.image_files import read_rgb
from engine.recognise.kept_pictures import LONG_SIDE
from engine.values import Array, ByteArray, ColorImage, FloatArray
from engine.verify.appearance import Seen, see, warp_into
from engine.verify.evidence import Candidate, verify
from engine.verify.reference import FRAME, Reference, to_lab
from engine.verify.registered import registered, shift_field, shifted
from training.simulation.photographs import simulate_each
from training.simulation.sisters import sister
from training.simulation.warp import Warp

SAME, DIFFERENT, HIDDEN, UNKNOWN = 0, 1, 2, 3
"""A cell's label; nothing is learned from UNKNOWN ones."""
CELL = 16
"""Pixels of the frame that a label is for, across and down."""
GRID = FRAME // CELL
GROUND = 0.2
"""Share of the pictures that lie as a cut-out on a plain ground, which is no part of the print."""
KIN = 0.25
"""Share of the photos that are compared with another picture of the folder's next ones, as series are stored."""
_EQUAL, _OTHER = 2.5, 9.0
"""Distance of two prints in a cell (Lab units, root mean square after a slight blur) up to which they are the same, and
from which on they are two."""
_RESOLVED, _LOST = 5.0, 3.0
"""The same distance of two photos, from which on it can be seen, and below which it cannot."""
_OPEN = 0.12
"""Share of the probe's distance that must arrive in the photo, for a cell to be seen at all."""
_FAR = 8.0
"""Pixels of the frame by which registration may fail: beyond, the photo's cell is another place."""


@dataclass(frozen=True)
class Samples:
    """N comparisons: frames (N, 7, 256, 256) uint8 as `engine.verify.registered` makes them, labels (N, 16, 16)
    uint8."""

    frames: ByteArray
    labels: ByteArray


def generate(paths: list[Path], model: PatchModel, *, seed: int) -> Iterator[tuple[ByteArray, ByteArray]]:
    """Frames and labels, one comparison after the other, without end; the same for the same seed."""
    rng = np.random.default_rng(seed)
    while True:
        for number in rng.permutation(len(paths)):
            picture = read_rgb(paths[number], 480)
            if picture is None or min(picture.shape[:2]) < 64:
                continue
            chosen = rng.integers(0, len(paths), int(rng.integers(2, 5)))
            others = [o for o in (read_rgb(paths[k], 320) for k in chosen) if o is not None]
            if not others:
                continue
            kin = paths[(number + int(rng.integers(1, 9))) % len(paths)] if rng.random() < KIN else None
            yield from compare(picture, others, read_rgb(kin, 480) if kin else None, model, rng)


def compare(
    picture: ColorImage,
    others: list[ColorImage],
    kin: ColorImage | None,
    model: PatchModel,
    rng: np.random.Generator,
) -> Iterator[tuple[ByteArray, ByteArray]]:
    """One photo of the picture, compared with itself and with a made sister, or with its kin; nothing where the engine
    finds neither in it."""
    stored, shown, ground = _on_ground(picture, others, rng) if rng.random() < GROUND else (picture, picture, None)
    other = sister(stored, others, rng)
    # A sister's photo shows its own print, but the same ground.
    probe = _probe(shown)
    strength = float(rng.uniform(0.2, 1))
    beside = other if ground is None else np.where(ground[..., None], shown, other)
    photos, warp = simulate_each([shown, beside, probe], others, rng, strength=strength)
    query = Query(describe_photo(photos[0], model), model.vocabulary)
    yield from _against(stored, stored, photos[0], photos[0], photos[2], warp, query, ground, model)
    if kin is not None:
        yield from _against_kin(kin, shown, photos[0], photos[2], warp, query, model)
    else:
        yield from _against(other, stored, photos[0], photos[1], photos[2], warp, query, ground, model)


def _on_ground(
    picture: ColorImage, others: list[ColorImage], rng: np.random.Generator
) -> tuple[ColorImage, ColorImage, NDArray[np.bool_]]:
    """The picture cut out on a plain ground, the same as it lies among other things, and where the ground is."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    if rng.random() < 0.5:
        centre, half = (
            (width // 2, height // 2),
            (int(width * rng.uniform(0.36, 0.5)), int(height * rng.uniform(0.36, 0.5))),
        )
        cv2.ellipse(mask, centre, half, float(rng.uniform(0, 180)) if height == width else 0.0, 0, 360, 255, -1)
    else:
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        inward = rng.uniform(0, 0.2, (4, 2)) * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width, height]
        cv2.fillConvexPoly(mask, np.rint(corners + inward).astype(np.int32), 255)
    ground = mask == 0
    plain = np.full_like(picture, 255 if rng.random() < 0.7 else int(rng.integers(0, 256)))
    around = cv2.resize(others[-1], (width, height), interpolation=cv2.INTER_AREA)
    stored, shown = (np.where(ground[..., None], behind, picture) for behind in (plain, around))
    return stored, shown, ground


def _probe(shown: ColorImage) -> ColorImage:
    """Black where the picture is light and white where it is dark."""
    light = cv2.GaussianBlur(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY), (0, 0), 6) > 127
    return np.repeat(np.where(light, 0, 255).astype(np.uint8)[..., None], 3, 2)


def _against(
    reference: ColorImage,
    stored: ColorImage,
    photo: ColorImage,
    photo_of_reference: ColorImage,
    photo_of_probe: ColorImage,
    warp: Warp,
    query: Query,
    ground: NDArray[np.bool_] | None,
    model: PatchModel,
) -> Iterator[tuple[ByteArray, ByteArray]]:
    """reference: what the photo is compared with; stored: what it shows; both of one size, and of one place."""
    seen, H = _seen(reference, photo, query, model)
    if seen is None or H is None:
        return
    size, field = seen.reference.size, shift_field(seen)
    there = to_lab(cv2.resize(stored, size, interpolation=cv2.INTER_AREA))
    prints = _distance(seen.reference.lab, there)
    probe = _rectified(photo_of_probe, seen, H, field)
    ours = _rectified(photo, seen, H, field)
    reach = _distance(ours, probe)
    apart = _distance(ours, _rectified(photo_of_reference, seen, H, field))
    labels = np.full(prints.shape, UNKNOWN, np.uint8)
    labels[(prints < _EQUAL) & (apart < _RESOLVED)] = SAME
    labels[(prints > _OTHER) & (apart > _RESOLVED)] = DIFFERENT
    labels[(prints > _OTHER) & (apart < _LOST)] = HIDDEN
    astray = _astray(seen, H, field, warp, (stored.shape[1], stored.shape[0]))
    labels[(labels == SAME) & (astray > _FAR)] = HIDDEN
    labels[reach < _OPEN * _distance(seen.reference.lab, _lab_of(_probe(stored), size))] = HIDDEN
    if ground is not None:
        covered = cv2.resize(ground.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        labels[_mean(covered) > 0.6] = HIDDEN
    yield registered(seen), _padded(labels)


def _against_kin(
    kin: ColorImage,
    shown: ColorImage,
    photo: ColorImage,
    photo_of_probe: ColorImage,
    warp: Warp,
    query: Query,
    model: PatchModel,
) -> Iterator[tuple[ByteArray, ByteArray]]:
    """Another picture, wherever the engine believes that it lies: what the photo truly shows there is looked up, so
    that a frame which both share is the same, and whatever differs by more than a slip is another print."""
    seen, H = _seen(kin, photo, query, model)
    if seen is None or H is None:
        return
    field = shift_field(seen)
    source = _source(seen, H, field, warp)
    x, y = (np.ascontiguousarray(np.nan_to_num(source[..., k], nan=-1e4), np.float32) for k in (0, 1))
    there = to_lab(cv2.remap(shown, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    inside = (x >= 0) & (y >= 0) & (x < shown.shape[1]) & (y < shown.shape[0])
    prints = np.min(
        [
            _distance(seen.reference.lab, np.roll(there, (down, across), (0, 1)))
            for down in (-4, -2, 0, 2, 4)
            for across in (-4, -2, 0, 2, 4)
        ],
        0,
    )
    reach = _distance(_rectified(photo, seen, H, field), _rectified(photo_of_probe, seen, H, field))
    labels = np.full(prints.shape, UNKNOWN, np.uint8)
    labels[prints < _EQUAL] = SAME
    labels[prints > 1.6 * _OTHER] = DIFFERENT
    labels[(reach < 2 * _OPEN * 100) | (_mean(inside.astype(np.float32)) < 0.5)] = HIDDEN
    yield registered(seen), _padded(labels)


def _seen(
    reference: ColorImage, photo: ColorImage, query: Query, model: PatchModel
) -> tuple[Seen | None, NDArray[np.float64] | None]:
    """What the engine sees of the reference in the photo, and the homography that it found."""
    rows = pack_features(describe_picture(reference, model), model)
    if not len(rows):
        return None, None
    candidate = Candidate(0, 1.0, rows, frame_size((reference.shape[1], reference.shape[0])))
    evidence = verify(query, candidate)
    if evidence is None:
        return None, None
    kept = Reference(resize_long_side(_as_kept(reference), LONG_SIDE))
    to_working = np.diag([photo.shape[1] / query.features.size[0]] * 2 + [1.0])
    H = to_working @ replace(evidence, reference=kept).H_kept_to_photo
    return see(kept, photo, H), H


def _as_kept(picture: ColorImage) -> ColorImage:
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def _rectified(photo: ColorImage, seen: Seen, H: NDArray[np.float64], field: FloatArray) -> FloatArray:
    """(H, W, 3) float32 Lab, where the registration of `seen` puts it."""
    return to_lab(shifted(warp_into(photo, H @ seen.reference.to_picture, seen.reference.size)[0], field))


def _lab_of(image: ColorImage, size: tuple[int, int]) -> FloatArray:
    return to_lab(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _source(seen: Seen, H: NDArray[np.float64], field: FloatArray, warp: Warp) -> FloatArray:
    """(H, W, 2): the pixel of the shown picture that each point of the registered frame comes from; NaN: none."""
    width, height = seen.reference.size
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    points = np.stack([x + field[..., 0], y + field[..., 1]], -1).reshape(1, -1, 2)
    in_photo = cv2.perspectiveTransform(points, H @ seen.reference.to_picture)[0].astype(np.float32)
    return warp.photo_to_picture(in_photo).reshape(height, width, 2)


def _astray(seen: Seen, H: NDArray[np.float64], field: FloatArray, warp: Warp, size: tuple[int, int]) -> FloatArray:
    """Of each cell, how far (pixels of the frame) what it shows lies from what it should show."""
    width, height = seen.reference.size
    source = _source(seen, H, field, warp) * np.array([width / size[0], height / size[1]], np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    away = np.hypot(source[..., 0] - x, source[..., 1] - y)
    return _mean(np.nan_to_num(away, nan=100.0).astype(np.float32))


def _distance(one: FloatArray, other: FloatArray) -> FloatArray:
    """Root mean square, in Lab units, of what two frames differ by in each cell, after a slight blur."""
    apart = cv2.GaussianBlur(one - other, (0, 0), 1.2)
    return np.sqrt(_mean((apart**2).sum(2)))


def _mean(values: FloatArray) -> FloatArray:
    """Of each whole cell of the frame."""
    rows, columns = values.shape[0] // CELL, values.shape[1] // CELL
    cells = values[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    return np.asarray(cells.mean((1, 3)))


def _padded(labels: ByteArray) -> Array:
    grid = np.full((GRID, GRID), UNKNOWN, np.uint8)
    grid[: labels.shape[0], : labels.shape[1]] = labels[:GRID, :GRID]
    return grid
