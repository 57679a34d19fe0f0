"""Photos that show several pictures: which are found, missed and invented.

    python -m benchmarks.accuracy.several SET... --strangers DIR --out several.json [--distractors DIR...]
        [--photos 120] [--seed 0]

Photos are made: one to six pictures of the sets' references lie beside each other, turned by up to 20 degrees and seen
from aside, on a blurred ground of another picture. Every third photo also shows a picture that the gallery has not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.sets import CHANNEL, fill, read_set
from engine.image import encode_jpeg
from engine.image_files import list_pictures, read_rgb
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.values import ColorImage, corners

SIZE = (1600, 1200)
"""Width and height of a photo."""
MOST = 6
"""Pictures of a photo, in three columns and two rows."""
STRANGER = 3
"""Every so manieth photo shows a picture that is not in the gallery, too."""


def compose(pictures: Sequence[ColorImage], ground: ColorImage, rng: np.random.Generator) -> ColorImage:
    """A photo of the pictures, each in a cell of its own."""
    width, height = SIZE
    photo = cv2.GaussianBlur(cv2.resize(ground, SIZE), (0, 0), 12)
    columns = min(len(pictures), 2) if len(pictures) <= 4 else 3
    rows = -(-len(pictures) // columns)
    cells = rng.permutation(columns * rows)[: len(pictures)]
    for picture, cell in zip(pictures, cells.tolist(), strict=True):
        across, down = width / columns, height / rows
        middle = np.array([(cell % columns + 0.5) * across, (cell // columns + 0.5) * down])
        h, w = picture.shape[:2]
        scale = rng.uniform(0.6, 0.8) * min(across / w, down / h)
        angle = np.deg2rad(rng.uniform(-20, 20))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        quad = (corners((w, h)) - [w / 2, h / 2]) * scale @ turn.T + middle
        quad = (quad + rng.uniform(-0.06, 0.06, (4, 2)) * scale * min(w, h)).astype(np.float32)
        warp = cv2.getPerspectiveTransform(corners((w, h)).astype(np.float32), quad)
        small = cv2.GaussianBlur(picture, (0, 0), max(0.01, 0.4 / scale))  # no aliasing where it is shrunk
        cv2.warpPerspective(small, warp, SIZE, photo, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    noisy = photo.astype(np.float32) * rng.uniform(0.7, 1.1) + rng.normal(0, 3, photo.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def run(
    recognizer: Recognizer, shown: dict[str, Path], strangers: Sequence[Path], *, photos: int, seed: int
) -> dict[str, Any]:
    """shown: the gallery's pictures by identifier; strangers: pictures that are not in it."""
    rng = np.random.default_rng(seed)
    channel = recognizer.catalogue.channel(CHANNEL)
    names = sorted(shown)
    rows: dict[int, dict[str, Any]] = {}
    for number in range(photos):
        count = 1 + number % MOST
        chosen = [names[k] for k in rng.permutation(len(names))[:count]]
        pictures = [read_rgb(shown[name], 640) for name in chosen]
        others = [read_rgb(strangers[int(k)], 640) for k in rng.integers(0, len(strangers), 2)]
        if any(picture is None for picture in [*pictures, *others]):
            continue
        seen = [picture for picture in pictures if picture is not None]
        ground, stranger = (other for other in others if other is not None)
        if number % STRANGER == 0 and count < MOST:
            seen.append(stranger)
        photo = encode_jpeg(compose(seen, ground, rng), quality=85)
        row = rows.setdefault(
            count, {"photos": 0, "shown": 0, "found": 0, "invented": 0, "found_as_one_answer": 0, "ms": 0.0}
        )
        started = time.process_time()
        found = recognizer.recognise_several(photo, [channel], most=20).results
        row["ms"] += 1000 * (time.process_time() - started)
        known = {match.picture.identifier for match in found}
        answer = recognizer.recognise(photo, [channel]).answer
        row["photos"] += 1
        row["shown"] += count
        row["found"] += len(known & set(chosen))
        row["invented"] += len(known - set(chosen))
        row["found_as_one_answer"] += answer is not None and answer.picture.identifier in chosen
    for row in rows.values():
        row["ms"] = round(row["ms"] / row["photos"], 1)
    every = {key: sum(row[key] for row in rows.values()) for key in ("photos", "shown", "found", "invented")}
    return {"by_pictures": rows, "all": {**every, "missed": every["shown"] - every["found"]}}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--distractors", nargs="*", type=Path, default=[], help="folders of further pictures")
    parser.add_argument("--strangers", type=Path, required=True, help="folder of pictures that are not in the gallery")
    parser.add_argument("--photos", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    sets = [read_set(folder) for folder in given.sets]
    shown = {s.identifier(str(p.relative_to(s.folder / "refs"))): p for s in sets for p in s.references()}
    with (
        tempfile.TemporaryDirectory() as folder,
        Recognizer.open(Path(folder), EngineSettings(threads=1)) as recognizer,
    ):
        fill(recognizer, sets, [path for root in given.distractors for path in list_pictures(root)])
        recognizer.warm_up()
        strangers = list_pictures(given.strangers)
        result = run(recognizer, shown, strangers, photos=given.photos, seed=given.seed)
        result = {"gallery": recognizer.index.pictures, "seed": given.seed, **result}
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
