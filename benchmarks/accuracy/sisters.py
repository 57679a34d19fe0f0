"""Another print of the series: is a picture told from a made sister, by what differs and by how large it is seen?

    python -m benchmarks.accuracy.sisters PICTURES... --out sisters.json [--pictures 40] [--seed 0]

Each picture has one sister of each kind (`training.simulation.sisters.KINDS`), and is photographed at several sizes. Of
every kind the photo is searched twice: where both prints are in the gallery, and where the sister alone is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.stress_set import PHOTO, SHARE, View, photograph
from engine.errors import TooFewFeatures
from engine.image import encode_jpeg
from engine.image_files import list_pictures, read_rgb
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.values import ColorImage
from training.simulation.sisters import KINDS

SIZES = (100, 200, 400)
"""Pixels of the picture's longer side in the photo, which is 640 wide."""
SIDE = 640
VIEW = {"tilt": 20.0, "rotation": 8.0, "blur": 0.6}
"""How the photos are taken besides: as by a hand, in good light."""
_SMALLEST = 200
"""Pixels of a short side below which a picture is passed over."""


def shrink_for(size: tuple[int, int], pixels: int) -> float:
    """How many times smaller than in the plain view a picture of this width and height is seen, if its longer side has
    so many pixels in the photo."""
    return SHARE * min(PHOTO[0] / size[0], PHOTO[1] / size[1]) * max(size) / pixels


def run(recognizer: Recognizer, pictures: Sequence[ColorImage], *, seed: int) -> dict[str, Any]:
    """By kind and size: `told`, `wrong`, `open` where both prints are there; `taken` for its sister where only that
    one is. The last picture is in no gallery: sisters take insets from it."""
    *shown, other = pictures
    rng = np.random.default_rng(seed)
    kept = []
    for number, picture in enumerate(shown):
        sisters = {kind: make(picture.copy(), [other], rng) for kind, make in KINDS.items()}
        if _added(recognizer, number, picture, sisters):
            kept.append(number)
    rows: dict[str, dict[str, dict[str, int]]] = {}
    for number in kept:
        height, width = shown[number].shape[:2]
        for pixels in SIZES:
            view = View(shrink=shrink_for((width, height), pixels), **VIEW)
            photo = photograph(shown[number], view, [seed, number])
            for kind in KINDS:
                row = rows.setdefault(kind, {}).setdefault(
                    str(pixels), dict.fromkeys(("told", "wrong", "open", "taken"), 0)
                )
                answered = _answer(recognizer, photo, _channel(kind, both=True))
                row["open" if answered is None else "told" if answered == f"print.{number}" else "wrong"] += 1
                row["taken"] += _answer(recognizer, photo, _channel(kind, both=False)) is not None
    return {"pictures": len(kept), "by_kind": rows}


def _channel(kind: str, *, both: bool) -> str:
    return f"{kind.replace(' ', '_')}.{'both' if both else 'sister'}"


def _added(recognizer: Recognizer, number: int, picture: ColorImage, sisters: dict[str, ColorImage]) -> bool:
    """Whether picture and sisters have enough detail for a gallery."""
    for kind, sister in sisters.items():
        for both in (True, False):
            channel = _channel(kind, both=both)
            if number == 0:
                recognizer.add_channel(channel)
            try:
                if both:
                    recognizer.add(channel, f"print.{number}", encode_jpeg(picture, quality=92))
                recognizer.add(channel, f"sister.{number}", encode_jpeg(sister, quality=92))
            except TooFewFeatures:
                return False
    return True


def _answer(recognizer: Recognizer, photo: bytes, channel: str) -> str | None:
    try:
        answer = recognizer.recognise(photo, [channel]).answer
    except TooFewFeatures:
        return None
    return None if answer is None else answer.picture.identifier


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders of pictures, which take turns")
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    folders = [list_pictures(folder) for folder in given.folders]
    turns = [[files[int(k)] for k in rng.permutation(len(files))] for files in folders]
    pictures: list[ColorImage] = []
    for path in (path for turn in zip(*turns, strict=False) for path in turn):
        picture = read_rgb(path, SIDE)
        if picture is not None and min(picture.shape[:2]) >= _SMALLEST:
            pictures.append(picture)
        if len(pictures) > given.pictures:
            break
    with (
        tempfile.TemporaryDirectory() as folder,
        Recognizer.open(Path(folder), EngineSettings(threads=1)) as recognizer,
    ):
        result = {"seed": given.seed, **run(recognizer, pictures, seed=given.seed)}
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
