"""Is a picture's level a promise? Recall of simulated photographs by the level of the picture they show.

    python -m benchmarks.accuracy.levels FOLDER_OF_PICTURES [NUMBER]

All pictures of the folder become one gallery; NUMBER of them, drawn at random, are photographed hard: full strength
of the simulation, on a plain background (another picture of the gallery behind them would be found, too). The
JSON tells for each level: pictures, photos, recall@1 at the default threshold, wrong answers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sets import CHANNEL, fill, identifier_of
from engine.errors import TooFewFeatures
from engine.image import encode_jpeg
from engine.image_files import LIMITS, list_pictures, read_rgb
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from training.simulation.photographs import simulate


def measure(folder: Path, *, number: int = 400) -> dict[str, dict[str, Any]]:
    """{LEVEL: {"pictures", "photos", "recall_at_1", "wrong"}}. The photos are shared out among the
    levels; a level with fewer pictures than its share has fewer."""
    rng = np.random.default_rng(0)
    settings = EngineSettings(limits=LIMITS)
    paths = list_pictures(folder)
    rows: dict[int, list[bool | None]] = {}
    with tempfile.TemporaryDirectory() as name, Recognizer.open(Path(name), settings) as recognizer:
        fill(recognizer, [], paths)
        levels = {p.identifier: p.level for p in recognizer.catalogue.all_pictures()}
        by_level: dict[int, list[str]] = {}
        for identifier, level in sorted(levels.items()):
            by_level.setdefault(level, []).append(identifier)
        files = {identifier_of(str(path)): path for path in paths}
        for level, members in by_level.items():
            for i in rng.permutation(len(members))[: number // len(by_level)]:
                found = _photograph(recognizer, files[members[i]], rng)
                rows.setdefault(level, []).append(None if found is None else found == members[i])
    return {
        str(level): {
            "pictures": len(by_level[level]),
            "photos": len(outcome),
            "recall_at_1": round(sum(o is True for o in outcome) / len(outcome), 4),
            "wrong": sum(o is False for o in outcome),
        }
        for level, outcome in sorted(rows.items())
    }


def _photograph(recognizer: Recognizer, path: Path, rng: np.random.Generator) -> str | None:
    """The identifier that a hard simulated photo of the picture is answered with."""
    picture = read_rgb(path)
    assert picture is not None
    photo = simulate(picture, [], rng)[0]
    try:
        found = recognizer.recognise(encode_jpeg(photo, quality=95), [CHANNEL])
    except TooFewFeatures:
        return None
    return found.answer.picture.identifier if found.answer else None


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), number=int(sys.argv[2]) if len(sys.argv) > 2 else 400), indent=1))
