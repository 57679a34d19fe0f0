"""Photographs of a gallery's pictures by simulation, what is found in them, and drawings of the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from cli.demo.posters import ground
from cli.options import notices
from engine.image import decode, encode_jpeg
from engine.recognise.answer import Recognition
from engine.recognizer import Recognizer
from engine.values import ColorImage
from training.simulation.photographs import simulate

CHANNEL = "demo"
STRENGTH = 0.6
"""How hard the simulation is: 0.6 is a willing photographer in poor light, 1 the hardest that training draws."""

LEAST_SHARE = 0.1
"""Share of the photo that its picture fills at least."""
ATTEMPTS = 50
"""Photos that are tried for one that shows its picture so; the last one is taken as it is."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A simulated photo: which picture it shows, its file, and what was found in it."""

    identifier: str
    file: Path
    found: Recognition

    @property
    def right(self) -> bool:
        return self.found.answer is not None and self.found.answer.picture.identifier == self.identifier


def photograph(recognizer: Recognizer, chosen: list[tuple[str, Path]], folder: Path, *, number: int) -> list[Shot]:
    """Photos of evenly chosen pictures, the same in every run, and what is found in them. Each shows one picture, on
    grounds that are none: of two in one photo either would be a right answer."""
    folder.mkdir(parents=True, exist_ok=True)
    picked = np.linspace(0, len(chosen) - 1, min(number, len(chosen))).astype(int)
    shots = []
    for turn, row in enumerate(track(picked, "photographing", console=notices(), transient=True)):
        rng = np.random.default_rng([3, turn])
        identifier, path = chosen[row]
        grounds = [ground(number) for number in rng.integers(0, 100_000, 2).tolist()]
        picture = decode(path.read_bytes(), long_side=640, limits=recognizer.settings.limits)[0]
        photo = _photograph(picture, grounds, rng)
        file = folder / f"photo-{turn + 1:02d}.jpg"
        file.write_bytes(encode_jpeg(photo))
        shots.append(Shot(identifier=identifier, file=file, found=recognizer.recognise(file.read_bytes(), [CHANNEL])))
    return shots


def _photograph(picture: ColorImage, grounds: list[ColorImage], rng: np.random.Generator) -> ColorImage:
    """The first photo of a few that shows the whole picture, and not from the other end of the hall: who wants to know
    what a picture is points the phone at it."""
    for _ in range(ATTEMPTS):
        photo, warp = simulate(picture, grounds, rng, strength=STRENGTH, uneven=False)
        plane = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], np.float64)
        seen = plane @ np.linalg.inv(warp.H_photo_to_plane).T
        corners = seen[:, :2] / seen[:, 2:]
        size = np.array(photo.shape[1::-1])
        whole = ((corners >= 0) & (corners < size)).all()
        if whole and cv2.contourArea(corners.astype(np.float32)) > LEAST_SHARE * size.prod():
            break
    return photo


def explain_all(recognizer: Recognizer, shots: list[Shot], folder: Path) -> int:
    """Draws what was found; gives how many there was something to draw for."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for shot in shots:
        best = next(iter(shot.found.results), None)
        if best is not None:
            target = folder / shot.file.with_suffix(".png").name
            target.write_bytes(recognizer.explain(shot.file.read_bytes(), best))
            drawn += 1
    return drawn
