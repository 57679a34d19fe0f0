"""An evaluation set of made series: pictures, made sisters beside some of them, and a simulated photo of each.

With the picture left out (`--leave-one-out`) its photo shows a print of a series of which the gallery holds another
one: what it must not be taken for.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from engine.errors import ResearchError
from engine.image_files import list_pictures, read_rgb
from engine.values import ColorImage
from training.simulation.photographs import simulate
from training.simulation.sisters import sister

SIDE = 560
"""Long side in pixels of the pictures and of what photos are made of."""
WITH_SISTER = 0.5
"""Share of the pictures that have a made sister in the gallery."""
STRENGTH = (0.15, 0.8)
"""How hard a photo is made, least and most, of what `simulate` can."""
_BLOCK = 10
"""Neighbours in a folder that are taken together: these are of one series, as often as not."""
_ASIDE, _FEWEST_ASIDE = 0.1, 3
"""Share and least number of the pictures that are in no gallery: photos are taken among these, and sisters take their
insets from them, so that what a photo shows beside its picture is no second answer."""
_SMALLEST = 100
"""Pixels of a short side below which a picture is passed over."""
_QUALITY = {"refs": 90, "queries": 95}


def draw_series(pictures: Sequence[Path], folder: Path, *, photos: int, seed: int) -> int:
    """Makes the set in `folder`, of up to `photos` pictures below the folders `pictures`; gives how many it took. The
    same pictures and seed make the same set. A tenth of the pictures, three at least, are not among them: they lie
    beside the others in photos. Raises ResearchError where the folder is not empty, where one of the pictures' folders
    holds none, and where fewer than five can be read."""
    if folder.exists() and any(folder.iterdir()):
        raise ResearchError(f"{folder} is not empty: a set is made in a folder of its own")
    kinds = [list_pictures(root) for root in pictures]
    if empty := next((root for root, files in zip(pictures, kinds, strict=True) if not files), None):
        raise ResearchError(f"{empty} holds no picture")
    rng = np.random.default_rng(seed)
    chosen = _chosen(kinds, rng)
    number = max(0, min(photos, len(chosen) - max(_FEWEST_ASIDE, round(_ASIDE * len(chosen)))))
    aside = [path for _, path in chosen[number:]]
    rows: list[tuple[str, str]] = []
    for kind, path in chosen[:number]:
        picture = read_rgb(path, SIDE)
        others = [o for k in rng.integers(0, len(aside), 3) if (o := read_rgb(aside[int(k)], SIDE)) is not None]
        if picture is None or min(picture.shape[:2]) < _SMALLEST or not others:
            continue
        name = f"{kind}-{len(rows):05}"
        _write(folder / "refs" / f"{name}.jpg", picture)
        if rng.random() < WITH_SISTER:
            _write(folder / "refs" / f"{name}-sister.jpg", sister(picture, others, rng))
        photo, _ = simulate(picture, others, rng, strength=float(rng.uniform(*STRENGTH)))
        _write(folder / "queries" / f"{name}.jpg", photo)
        rows.append((f"{name}.jpg", f"{name}.jpg"))
    if len(rows) < 2:
        raise ResearchError("fewer than five of the pictures can be read")
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("query", "ref"), *rows])
    return len(rows)


def _chosen(kinds: Sequence[Sequence[Path]], rng: np.random.Generator) -> list[tuple[int, Path]]:
    """All pictures with the numbers of their kinds: runs of neighbours, of all kinds in turn."""
    runs = [[files[i : i + _BLOCK] for i in range(0, len(files), _BLOCK)] for files in kinds]
    orders = [list(rng.permutation(len(r))) for r in runs]
    found: list[tuple[int, Path]] = []
    while any(orders):
        for kind, order in enumerate(orders):
            if order:
                found += [(kind, path) for path in runs[kind][order.pop()]]
    return found


def _write(path: Path, image: ColorImage) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = _QUALITY[path.parent.name]
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
