"""A set to measure robustness with: pictures photographed by simulation, one factor at a time, at growing strength.

Every photo starts from one plain view (facing the picture, 70 % of the frame, in front of drawn things: no picture of
the gallery may be seen besides the right one). A factor changes that view alone; at its weakest it is the view itself.
Photos depend on the seed and the picture only.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.compare.progress import Tell
from engine.errors import ImageError, ResearchError
from engine.image import decode
from engine.image_files import LIMITS, list_pictures
from engine.values import ColorImage, FloatArray
from training.simulation.photographs import clutter, render
from training.simulation.warp import Warp

PHOTO = (640, 480)
"""Width and height: what a web client sends, and what methods shrink larger photos to."""
SHARE = 0.7
"""Size of the picture in the plain view, as a share of the largest size at which it fits into the frame."""
DISTANCE = 3.0
"""How far the camera is, in halves of the picture's longer side: a poster seen from one and a half times its length."""
QUALITY = 92
"""JPEG quality of the plain view."""
_MATERIAL_SIDE = 1024
"""Long side in pixels at which pictures are read: more than a photo of PHOTO's size can show of one."""
_STAMP = "stress.json"
"""File in the set's folder that tells of which arguments its photos were made."""
_PLAIN = "plain"
"""Folder of the plain views."""


@dataclass(frozen=True, kw_only=True)
class View:
    """How a photo is taken; the defaults are the plain view."""

    tilt: float = 0.0
    """Degrees by which the picture is turned out of its plane."""
    rotation: float = 0.0
    """Degrees by which it is turned in its plane."""
    shrink: float = 1.0
    """How many times smaller than in the plain view it is seen."""
    blur: float = 0.0
    """Sigma of the blur in pixels of the photo."""
    stops: float = 0.0
    """How much less light there is; each stop halves it."""
    covered: float = 0.0
    """Share of the picture that is hidden behind things."""
    loss: float = 100.0 - QUALITY
    """100 less the JPEG quality."""
    noise: float = 0.0
    """Sigma of the grain, in grey levels of 256."""
    glare: float = 0.0
    """Radius of a white spot, in halves of the side of a square as large as the picture in the photo."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """One thing that makes a photo harder."""

    name: str
    """What it is called in stress.csv and in the plots, with its unit."""
    plain: float
    """The strength that the plain view has."""
    strengths: tuple[float, ...]
    """The strengths that are photographed besides, the weakest first."""
    view: Callable[[float], View]
    """The view at a strength."""


FACTORS: tuple[Factor, ...] = (
    Factor(name="tilt, degrees", plain=0, strengths=(20, 40, 55, 65, 75), view=lambda s: View(tilt=s)),
    Factor(name="rotation, degrees", plain=0, strengths=(20, 45, 90, 135, 180), view=lambda s: View(rotation=s)),
    Factor(name="distance, times", plain=1, strengths=(1.5, 2, 3, 4, 6), view=lambda s: View(shrink=s)),
    Factor(name="blur, pixels", plain=0, strengths=(1, 2, 4, 6, 9), view=lambda s: View(blur=s)),
    Factor(name="darkness, stops", plain=0, strengths=(1, 2, 3.5, 5, 6.5), view=lambda s: View(stops=s)),
    Factor(name="occlusion, share", plain=0, strengths=(0.15, 0.3, 0.45, 0.6, 0.75), view=lambda s: View(covered=s)),
    Factor(
        name="JPEG, 100 - quality", plain=100 - QUALITY, strengths=(50, 75, 88, 95, 98), view=lambda s: View(loss=s)
    ),
    Factor(name="noise, grey levels", plain=0, strengths=(15, 30, 50, 75, 110), view=lambda s: View(noise=s)),
    Factor(name="glare, radius", plain=0, strengths=(0.3, 0.6, 0.9, 1.2, 1.5), view=lambda s: View(glare=s)),
)
"""Ends are chosen so that some method fails there."""
READ_NOISE = 2.0
"""Grey levels that a sensor adds whatever the light: of little light, little else is left."""


def photograph(picture: ColorImage, view: View, seed: Sequence[int]) -> bytes:
    """JPEG of a simulated photo. picture: RGB; seed: decides the background, the axis of the tilt, and where things,
    spots and grain lie, so that views of one picture differ in their factor alone."""
    parts = [np.random.default_rng([*seed, number]) for number in range(4)]
    height, width = picture.shape[:2]
    warp = seen_by(view, (width, height), axis=parts[0].uniform(0, 2 * np.pi))
    background = _surroundings(parts[1])
    photo = render(picture, background, warp)
    inside = render(np.full_like(picture, 255), np.zeros_like(background), warp)[..., 0] > 127
    if view.covered:
        photo = _cover(photo, inside, view.covered, parts[2])
    light = photo.astype(np.float32)
    if view.glare:
        light = _glare(light, inside, view.glare, parts[2])
    if view.blur:
        light = cv2.GaussianBlur(light, (0, 0), view.blur).astype(np.float32)
    grain = parts[3].standard_normal(light.shape, np.float32)
    if view.stops:
        light = light * 0.5**view.stops + READ_NOISE * grain
    light = light + view.noise * grain
    final = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, round(100 - view.loss)]
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(final, cv2.COLOR_RGB2BGR), quality)
    assert done
    return encoded.tobytes()


def seen_by(view: View, size: tuple[int, int], *, axis: float) -> Warp:
    """Where the picture lies in the photo. size: the picture's width and height; axis: direction, in radians, around
    which it is tilted. The camera stays where it is: a tilted picture is foreshortened, not brought nearer."""
    tilt, roll = np.deg2rad(view.tilt), np.deg2rad(view.rotation)
    around = np.array([np.cos(axis), np.sin(axis), 0.0])
    turn = cv2.Rodrigues(around * tilt)[0] @ cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0]
    half = np.array([*size, 0.0]) / max(size)
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half @ turn.T
    seen = corners[:, :2] * (DISTANCE / (DISTANCE + corners[:, 2:]))
    fit = float(np.min(np.array(PHOTO) / (2 * half[:2])))
    pixels = seen * (fit * SHARE / view.shrink) + np.array(PHOTO) / 2 - 0.5
    plane = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    H = np.asarray(cv2.getPerspectiveTransform(pixels.astype(np.float32), plane), np.float64)
    return Warp(H, 0.0, size)


def _surroundings(rng: np.random.Generator) -> ColorImage:
    """A plain gradient with strokes and boxes on it, a little out of focus."""
    width, height = PHOTO
    canvas = clutter(rng, [], PHOTO)
    for _ in range(40):
        a, b = (rng.uniform(0, 1, 2) * (width, height) for _ in range(2))
        start, end = ((int(x), int(y)) for x, y in (a, a + (b - a) * 0.3))
        colour = [int(v) for v in rng.integers(0, 255, 3)]
        if rng.random() < 0.5:
            cv2.rectangle(canvas, start, end, colour, -1)
        else:
            cv2.line(canvas, start, end, colour, int(rng.integers(1, 6)))
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.5), np.uint8)


def _cover(photo: ColorImage, inside: np.ndarray, share: float, rng: np.random.Generator) -> ColorImage:
    """Plain discs over the picture until they hide that share of it; stronger covers hold the weaker ones."""
    rows, columns = np.nonzero(inside)
    hidden = np.zeros(inside.shape, np.uint8)
    covered, radius = photo.copy(), max(3, round(0.12 * np.sqrt(len(rows))))
    while len(rows) and np.count_nonzero(hidden[inside]) < share * len(rows):
        at = int(rng.integers(len(rows)))
        centre = int(columns[at]), int(rows[at])
        colour = [int(v) for v in rng.integers(40, 220, 3)]
        cv2.circle(covered, centre, radius, colour, -1)
        cv2.circle(hidden, centre, radius, 1, -1)
    return covered


def _glare(light: FloatArray, inside: np.ndarray, radius: float, rng: np.random.Generator) -> FloatArray:
    """A white spot with soft edges somewhere on the picture."""
    rows, columns = np.nonzero(inside)
    if not len(rows):
        return light
    at = int(rng.integers(len(rows)))
    y, x = np.mgrid[0 : light.shape[0], 0 : light.shape[1]].astype(np.float32)
    size = radius * np.sqrt(len(rows)) / 2
    spot = np.exp(-((x - columns[at]) ** 2 + (y - rows[at]) ** 2) / size**2)
    result: FloatArray = np.minimum(light + 400 * spot[..., None], 255).astype(np.float32)
    return result


# The set of simulated photos


def draw_set(pictures: Path, folder: Path, *, photos: int, seed: int, tell: Tell | None = None) -> Path:
    """Makes a set in `folder`: refs/ is the pictures' folder, queries/FACTOR/STRENGTH/NUMBER.jpg the photos of
    `photos` of them, drawn with the seed. What is there from the same arguments stays. Raises ResearchError where
    none can be read."""
    files = list_pictures(pictures)
    stamp = json.dumps({
        "pictures": [[str(p.relative_to(pictures)), hashlib.sha256(p.read_bytes()).hexdigest()] for p in files],
        "photos": photos, "seed": seed,
        "factors": [[f.name, f.plain, list(f.strengths)] for f in FACTORS],
    })  # fmt: skip
    if (folder / _STAMP).exists() and (folder / _STAMP).read_text() == stamp:
        return folder
    shutil.rmtree(folder / "queries", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "refs").unlink(missing_ok=True)
    (folder / "refs").symlink_to(pictures.resolve(), target_is_directory=True)
    order = np.random.default_rng(seed).permutation(len(files))
    readable = _read_some([files[i] for i in order], photos)
    if not readable:
        raise ResearchError(f"{pictures} holds no picture that can be read")
    tell = tell or Tell()
    tell.begin("photographing", len(readable) * len(_views()))
    rows: list[tuple[str, str]] = []
    for number, (path, picture) in enumerate(readable):
        for name, view in _views().items():
            query = f"{name}/{number:04}.jpg"
            target = folder / "queries" / query
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(photograph(picture, view, [seed, number]))
            rows.append((query, str(path.relative_to(pictures))))
            tell.step()
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("query", "ref"), *sorted(rows)])
    (folder / _STAMP).write_text(stamp)
    return folder


def _views() -> Mapping[str, View]:
    """Every view with the folder of its photos; the plain one once for all factors."""
    views = {_PLAIN: View()}
    for factor in FACTORS:
        views |= {view_folder(factor, strength): factor.view(strength) for strength in factor.strengths}
    return views


def view_folder(factor: Factor, strength: float) -> str:
    """The folder below queries/ of the photos that show one of FACTORS at a strength."""
    return _PLAIN if strength == factor.plain else f"{FACTORS.index(factor)}/{strength:g}"


def _read_some(files: Sequence[Path], count: int) -> list[tuple[Path, ColorImage]]:
    """The first `count` pictures that can be read, fewer where there are fewer."""
    found: list[tuple[Path, ColorImage]] = []
    for path in files:
        if len(found) == count:
            break
        try:
            found.append((path, decode(path.read_bytes(), long_side=_MATERIAL_SIDE, limits=LIMITS)[0]))
        except ImageError:
            continue  # `gather` tells about it
    return found
